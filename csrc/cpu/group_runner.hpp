// Whole groups of one task: completed before their elements are stored.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>

#include "../op/group.hpp"
#include "tile_runner.hpp"

namespace proxstep::cpu {

// n elements, on the stack where there is room; null where n is 0.
template <class C, std::int64_t few>
class Room {
 public:
  explicit Room(std::int64_t n) : many_(n > few ? new C[n] : nullptr), given_(n > 0) {}
  C* get() { return many_ ? many_.get() : given_ ? few_ : nullptr; }

 private:
  std::unique_ptr<C[]> many_;
  bool given_;
  alignas(64) C few_[few];
};

template <class S>
class GroupRunner : protected TileRunner<S> {
  using Tile = TileRunner<S>;
  using C = typename Tile::C;
  using index = typename Tile::index;
  // Small groups are taken so many elements at a time. One of half a tile comes alone: its sums are
  // added up while it lies in the cache, and the next one's loads wait for less.
  static constexpr index kSpan = 2 * kTile, kAlone = kTile / 2;

 protected:
  GroupRunner(const Task& task, double grad_scale, Statistics* statistics)
      : Tile(task, grad_scale, statistics) {}
  using Tile::element_values;
  using Tile::finish;
  using Tile::has_steps;
  using Tile::in_place_;
  using Tile::k_;
  using Tile::kWide;
  using Tile::point;
  using Tile::statistics_;
  using Tile::steps;
  using Tile::stored;
  using Tile::sum_of_squares;
  using Tile::t_;
  using Tile::tiles;
  using Tile::x;

  void segments(index first, index last) {
    for (index group = first; group < last;) {
      index stop = group + 1;
      const index most = offset(stop) - offset(group) < kAlone ? kSpan : 0;
      while (stop < last && offset(stop + 1) - offset(group) <= most) ++stop;
      span(group, stop);
      group = stop;
    }
  }

  // Columns first..last of a matrix in C order, row by row.
  void columns(index first, index last) {
    const index width = last - first, rows = t_.n / t_.groups.count;
    const index ld = in_place_ ? t_.groups.count : width;
    const auto own = in_place_ ? nullptr : room(rows * width);
    const auto s = has_steps() ? room(rows * width) : nullptr;
    const std::unique_ptr<double[]> sums(new double[width]());
    C* const z = in_place_ ? x(first) : own.get();
    const auto each_row = [&](const auto& body) {
      for (index r = 0; r < rows; ++r) {
        tiles(0, width, [&](index j, index n) { body(r, j, n, z + r * ld + j); });
      }
    };
    each_row([&](index r, index j, index n, C* row) {
      const index at = r * t_.groups.count + first + j;
      C* const row_steps = s ? s.get() + r * width + j : nullptr;
      point(at, n, row, t_.steps ? nullptr : row_steps);
      if (t_.steps) std::copy_n(steps() + at, n, row_steps);
      if (!s) k_.add_squares(n, row, sums.get() + j);
    });
    if (s) {
      scale_columns(first, width, rows, z, ld, s.get());
    } else {
      k_.scales[t_.groups.kind](
          {width, sums.get(), static_cast<C>(t_.step), group_weights(first), t_.groups.settings});
    }
    if (s && in_place_) return;
    each_row([&](index r, index j, index n, C* row) {
      if (!s) k_.multiply(n, row, sums.get() + j);
      if (!in_place_) finish(r * t_.groups.count + first + j, n, row);
    });
    if (statistics_) column_values(first, width, rows);
  }

  // h over a chunk, added to the statistics.
  void value(index begin, index end) {
    const index per_unit = t_.groups.over == Over::columns ? t_.n / t_.groups.count : 1;
    if (t_.groups.over == Over::columns) {
      for (index r = 0; r < per_unit; ++r) {
        element_values(r * t_.groups.count + begin, end - begin);
      }
      return column_values(begin, end - begin, per_unit);
    }
    if (t_.groups.over == Over::nothing) return element_values(begin, end - begin);
    element_values(offset(begin), offset(end) - offset(begin));
    if (t_.levels.given()) return add_levels_value(begin, end, nullptr);
    segment_values(begin, end);
  }

 private:
  static std::unique_ptr<C[]> room(index n) { return std::unique_ptr<C[]>(new C[n]); }

  const C* group_weights(index group) const {
    return t_.groups.weights ? static_cast<const C*>(t_.groups.weights) + group : nullptr;
  }
  index offset(index group) const {
    return t_.groups.offsets ? t_.groups.offsets[group] : std::min(group * t_.groups.length, t_.n);
  }

  // Whole groups first..last: few small ones or a single large one.
  void span(index first, index last) {
    const index begin = offset(first), n = offset(last) - begin;
    Room<C, kSpan> own(in_place_ ? 0 : n), own_steps(t_.levels.given() || !t_.rule_steps ? 0 : n);
    C* const z = in_place_ ? x(begin) : own.get();
    const C* const s = t_.steps ? steps() + begin : own_steps.get();
    const bool gathers = n > 0 && last - first == 1 && !t_.levels.given();
    GroupLanes<C> lanes;
    tiles(begin, n, [&](index at, index count) {
      const index i = at - begin;
      point(at, count, z + i, own_steps.get() ? own_steps.get() + i : nullptr);
      if (gathers) k_.gather({count, z + i, s ? s + i : nullptr, i == 0, &lanes});
    });
    const auto scales = t_.levels.given() ? level_scales(first, last, z) : nullptr;
    if (scales) {
      k_.quantize({n, t_.groups.length, z, scales.get(), t_.levels});
    } else {
      k_.segments[t_.groups.kind](segment_tile(first, last, z, s, gathers ? &lanes : nullptr));
    }
    if (!in_place_)
      tiles(begin, n, [&](index at, index count) { finish(at, count, z + (at - begin)); });
    if (statistics_) {
      scales ? add_levels_value(first, last, scales.get()) : segment_values(first, last);
    }
  }

  // As the storage holds them, so that what is stored has the same scales again.
  std::unique_ptr<C[]> level_scales(index first, index last, C* z) const {
    auto scales = room(last - first);
    if (t_.levels.scales) {
      const C* const given = static_cast<const C*>(t_.levels.scales);
      for (index k = first; k < last; ++k) scales[k - first] = given[t_.levels.shared ? 0 : k];
    } else {
      k_.level_scales({offset(last) - offset(first), t_.groups.length, z, nullptr, t_.levels},
                      scales.get());
      round_as_stored(last - first, scales.get());
    }
    return scales;
  }

  static void round_as_stored(index count, C* values) {
    S buffer[kTile];
    tiles(0, kWide ? 0 : count, [&](index at, index n) {
      narrow(n, values + at, buffer);
      wide(buffer, n, values + at);
    });
  }

  // scales: those of the prox, or null for those of x.
  void add_levels_value(index first, index last, const C* scales) const {
    const index begin = offset(first), n = offset(last) - begin;
    const auto now = room(n), nearest = room(n);
    tiles(0, n, [&](index at, index count) {
      const C* const from = wide(stored(begin + at), count, now.get() + at);
      if (from != now.get() + at) std::copy_n(from, count, now.get() + at);
    });
    const auto own = scales ? nullptr : level_scales(first, last, now.get());
    if (own) scales = own.get();
    std::copy_n(now.get(), n, nearest.get());
    Levels hard = t_.levels;
    hard.rho = 0.0;
    k_.quantize({n, t_.groups.length, nearest.get(), scales, hard});
    round_as_stored(n, nearest.get());
    statistics_->penalty +=
        k_.levels_value({n, t_.groups.length, now.get(), scales, t_.levels}, nearest.get());
  }

  SegmentTile<C> segment_tile(index first, index last, C* z, const C* s,
                              const GroupLanes<C>* gathered) const {
    return {last - first,
            t_.groups.length,
            t_.groups.offsets ? t_.groups.offsets + first : nullptr,
            z,
            static_cast<C>(t_.step),
            s,
            group_weights(first),
            t_.groups.settings,
            gathered};
  }

  // Columns whose elements have steps of their own: made contiguous for their roots, as many at a
  // time as a cache line holds.
  void scale_columns(index first, index width, index rows, C* z, index ld, const C* s) const {
    constexpr index kAtOnce = 64 / sizeof(C);
    const auto columns = room(2 * kAtOnce * rows);
    C* const own_z = columns.get();
    C* const own_s = own_z + kAtOnce * rows;
    for (index j = 0; j < width; j += kAtOnce) {
      const index count = std::min(kAtOnce, width - j);
      for (index r = 0; r < rows; ++r) {
        for (index k = 0; k < count; ++k) {
          own_z[k * rows + r] = z[r * ld + j + k];
          own_s[k * rows + r] = s[r * width + j + k];
        }
      }
      k_.segments[t_.groups.kind]({count, rows, nullptr, own_z, C(0), own_s,
                                   group_weights(first + j), t_.groups.settings, nullptr});
      for (index r = 0; r < rows; ++r) {
        for (index k = 0; k < count; ++k) z[r * ld + j + k] = own_z[k * rows + r];
      }
    }
  }

  double group_weight(index group) const {
    return t_.groups.weights ? static_cast<double>(*group_weights(group)) : 1.0;
  }
  void add_group_value(double sum, index group) const {
    const auto value = [&](double norm) {
      return k_.group_value[t_.groups.kind](norm, group_weight(group), t_.groups.settings);
    };
    statistics_->penalty += op::group_value<S>(value, std::sqrt(sum));
  }
  void segment_values(index first, index last) const {
    for (index k = first; k < last; ++k) {
      add_group_value(sum_of_squares(offset(k), offset(k + 1)), k);
    }
  }
  void column_values(index first, index width, index rows) const {
    const std::unique_ptr<double[]> sums(new double[width]());
    C buffer[kTile];
    for (index r = 0; r < rows; ++r) {
      tiles(0, width, [&](index j, index n) {
        const C* const now = wide(stored(r * t_.groups.count + first + j), n, buffer);
        k_.add_squares(n, now, sums.get() + j);
      });
    }
    for (index j = 0; j < width; ++j) add_group_value(sums[j], first + j);
  }
};

}  // namespace proxstep::cpu
