// One chunk of one task. A tile's point, step and prox stay in the L1 cache; 16-bit arrays are
// widened tile by tile. Groups are completed before their elements are stored.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <type_traits>

#include "../op/group.hpp"
#include "narrow.hpp"
#include "step.hpp"

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
  C few_[few];
};

template <class S>
class Runner {
  using C = op::compute_t<S>;
  using index = std::int64_t;
  static constexpr bool kWide = std::is_same_v<S, C>;  // stored as computed
  static constexpr index kSpan = 2 * kTile;            // small groups are taken this many at a time

 public:
  Runner(const Task& task, double grad_scale, Statistics* statistics)
      : t_(task),
        k_(kernels<C>()),
        narrow_(task),
        grad_scale_(static_cast<C>(grad_scale)),
        statistics_(statistics),
        in_place_(kWide && !statistics && !task.extrapolates && !task.narrowing.copy) {}

  void elements(index begin, index end) {
    if (const auto direct = direct_loop()) return direct(direct_arguments(begin, end - begin));
    if (const auto narrow = narrow_loop()) return narrow(narrow_arguments(begin, end - begin));
    C z[kTile], s[kTile];
    if (t_.stepped) return drop(begin, end);
    tiles(begin, end - begin, [&](index at, index n) {
      C* const zs = in_place_ ? x(at) : z;
      point(at, n, zs, t_.rule_steps ? s : nullptr);
      if (t_.nm.given()) k_.nm({n, zs, steps_of(at, s), t_.nm});
      if (t_.kept.given()) keep_largest(at, n, zs, steps_of(at, s));
      if (!in_place_) finish(at, n, zs);
    });
  }

  void segments(index first, index last) {
    for (index group = first; group < last;) {
      index stop = group + 1;
      while (stop < last && offset(stop + 1) - offset(group) <= kSpan) ++stop;
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

  // body(first, count, z, steps or null) over the points that a selection ranks. They are stored
  // where the task says that all is stepped, else only looked at.
  template <class Body>
  void points(index begin, index end, const Body& body) const {
    C z[kTile], s[kTile];
    tiles(begin, end - begin, [&](index at, index n) {
      if (!t_.stepped) apply_rule(k_.point[t_.rule], at, n, z, t_.rule_steps ? s : nullptr);
      body(at, n, t_.stepped ? x(at) : z, stepped_or(at, n, s));
    });
  }

  // The same, and stores them with the moments: the step but for what is to be dropped.
  template <class Body>
  void step_points(index begin, index end, const Body& body) const {
    C s[kTile];
    tiles(begin, end - begin, [&](index at, index n) {
      apply_rule(k_.rule[t_.rule], at, n, x(at), t_.rule_steps ? s : nullptr);
      body(at, n, x(at), steps_of(at, s));
    });
  }

  double sum_of_squares(index begin, index end) const {
    double sum = 0.0;
    C buffer[kTile];
    tiles(begin, end - begin,
          [&](index at, index n) { sum += k_.sum_of_squares(n, wide(stored(at), n, buffer)); });
    return sum;
  }

 private:
  template <class Body>
  static void tiles(index begin, index n, const Body& body) {
    for (index at = begin; at < begin + n; at += kTile) {
      body(at, std::min<index>(kTile, begin + n - at));
    }
  }

  static std::unique_ptr<C[]> room(index n) { return std::unique_ptr<C[]>(new C[n]); }

  S* stored(index at) const { return static_cast<S*>(t_.x) + at; }
  C* x(index at) const { return static_cast<C*>(t_.x) + at; }  // where kWide
  C* moment(int slot, index at) const { return static_cast<C*>(narrow_.moment(slot, at)); }
  const C* steps() const { return static_cast<const C*>(t_.steps); }
  const C* element_weights(index at) const {
    return t_.element.weights ? static_cast<const C*>(t_.element.weights) + at : nullptr;
  }
  const C* group_weights(index group) const {
    return t_.groups.weights ? static_cast<const C*>(t_.groups.weights) + group : nullptr;
  }
  bool has_steps() const { return t_.rule_steps || t_.steps; }
  // Of a tile whose rule has written its own to s; null where they are one.
  const C* steps_of(index at, const C* s) const {
    return t_.steps ? steps() + at : (t_.rule_steps ? s : nullptr);
  }
  index offset(index group) const {
    return t_.groups.offsets ? t_.groups.offsets[group] : std::min(group * t_.groups.length, t_.n);
  }

  auto direct_loop() const -> void (*)(const DirectRun<C>&) {
    const bool stores = in_place_ || (kWide && t_.extrapolates && !statistics_);
    if (!stores || !is_plain() || narrow_.has_moments()) return nullptr;
    return k_.direct[t_.rule][t_.element.kind];
  }
  // A rule and a penalty of the elements, and nothing that needs more than one pass over a tile.
  bool is_plain() const {
    return t_.rule != kNoRule && !t_.element.weights && !t_.nm.given() && !t_.kept.given() &&
           !t_.euclidean && !t_.narrowing.copy;
  }
  DirectRun<C> direct_arguments(index at, index n) const {
    return {n,
            x(at),
            reinterpret_cast<const C*>(static_cast<const S*>(t_.g) + at),
            grad_scale_,
            {moment(0, at), moment(1, at)},
            t_.constants,
            t_.element.settings};
  }
  auto narrow_loop() const -> void (*)(const NarrowRun&) {
    if (!std::is_same_v<S, float> || !in_place_ || !is_plain()) return nullptr;
    if (!narrow_.has_moments()) return nullptr;
    return tables().step->direct_narrow[t_.rule][t_.element.kind];
  }
  // Chunks never cross a multiple of 2^32, so that one key serves.
  NarrowRun narrow_arguments(index at, index n) const {
    return {n,
            {static_cast<float*>(t_.x) + at,
             static_cast<const float*>(t_.g) + at,
             {static_cast<op::bfloat16*>(narrow_.moment(0, at)),
              static_cast<op::bfloat16*>(narrow_.moment(1, at))}},
            static_cast<float>(grad_scale_),
            t_.constants,
            t_.element.settings,
            narrow_.random_key(op::Purpose::moments, at),
            static_cast<unsigned int>(at)};
  }

  // z and s of one tile: rule, then the penalty of the elements.
  void point(index at, index n, C* z, C* s) const {
    if (t_.rule == kNoRule) {
      C buffer[kTile];
      const C* const from = wide(static_cast<const S*>(t_.source) + at, n, buffer);
      if (from != z) std::memcpy(z, from, static_cast<std::size_t>(n) * sizeof(C));
    } else {
      apply_rule(k_.rule[t_.rule], at, n, z, s);
    }
    if (t_.element.kind == 0) return;
    k_.prox[t_.element.kind](
        {n, z, static_cast<C>(t_.step), steps_of(at, s), element_weights(at), t_.element.settings});
  }

  void apply_rule(void (*rule)(const RuleTile<C>&), index at, index n, C* z, C* s) const {
    C x_buffer[kTile], g_buffer[kTile];
    const C* const from = wide(static_cast<const S*>(t_.source) + at, n, x_buffer);
    const C* const g = narrow_.gradient(at, n, g_buffer);
    narrow_.rule(rule, at, {n, from, g, grad_scale_, {}, z, s, t_.constants, false, {}, 0});
  }

  // Steps of a tile that the rule has just written to s, or that follow from the moments.
  const C* stepped_or(index at, index n, C* s) const {
    if (t_.stepped && t_.rule_steps) {
      k_.steps[t_.rule]({n, {moment(0, at), moment(1, at)}, t_.constants, s});
    }
    return steps_of(at, s);
  }
  void drop(index begin, index end) const {
    C s[kTile];
    tiles(begin, end - begin, [&](index at, index n) {
      if (t_.marks) return k_.drop(n, x(at), t_.marks + at / kTile * kMarks);
      keep_largest(at, n, x(at), stepped_or(at, n, s));
    });
  }

  // Ties stay up to a place, at which a tile may be cut in two.
  void keep_largest(index at, index n, C* z, const C* s) const {
    const auto key = static_cast<op::Score<C>>(t_.kept.key);
    const index early = std::clamp<index>(t_.kept.ties_end - at, 0, n);
    k_.keep({early, z, s, key});
    k_.keep({n - early, z + early, s ? s + early : nullptr, key + 1});
  }

  // Extrapolation, statistics and the store of n <= kTile elements.
  void finish(index at, index n, const C* z) const {
    C old_buffer[kTile], new_buffer[kTile];
    const bool needs_old = statistics_ || t_.extrapolates;
    const C* const x_old = needs_old ? wide(stored(at), n, old_buffer) : nullptr;
    if (t_.extrapolates) k_.extrapolate(n, x_old, z, moment(0, at), t_.constants);
    if (!kWide) narrow_.store(at, n, z);
    if (statistics_) {
      const C* const x_new = kWide ? z : wide(stored(at), n, new_buffer);
      k_.statistics[t_.element.kind](
          {n, x_old, x_new, element_weights(at), t_.element.settings, statistics_});
      add_nm_value(n, x_new);
      if (t_.kept.given()) statistics_->penalty += k_.kept_value(n, x_new);
    }
    if (kWide) narrow_.store(at, n, z);
    if (statistics_ && t_.narrowing.copy) count_copy(at, n, z);
  }

  // What the copy of a master lost when it was rounded: zeros that were none, and overflow.
  void count_copy(index at, index n, const C* master) const {
    C buffer[kTile];
    Statistics of_master, of_copy;
    k_.statistics[0]({n, nullptr, master, nullptr, t_.element.settings, &of_master});
    narrow_.widen_copy(at, n, buffer);
    k_.statistics[0]({n, nullptr, buffer, nullptr, t_.element.settings, &of_copy});
    statistics_->nonzeros += of_copy.nonzeros - of_master.nonzeros;
    statistics_->not_finite += of_copy.not_finite - of_master.not_finite;
  }

  // Whole groups first..last: few small ones or a single large one.
  void span(index first, index last) {
    const index begin = offset(first), n = offset(last) - begin;
    Room<C, kSpan> own(in_place_ ? 0 : n), own_steps(t_.levels.given() || !t_.rule_steps ? 0 : n);
    C* const z = in_place_ ? x(begin) : own.get();
    const C* const s = t_.steps ? steps() + begin : own_steps.get();
    const bool gathers = last - first == 1 && !t_.levels.given();
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

  void element_values(index begin, index n) const {
    C buffer[kTile];
    tiles(begin, n, [&](index at, index count) {
      const C* const now = wide(stored(at), count, buffer);
      k_.statistics[t_.element.kind](
          {count, nullptr, now, element_weights(at), t_.element.settings, statistics_});
      add_nm_value(count, now);
    });
  }
  void add_nm_value(index n, const C* now) const {
    if (t_.nm.given()) statistics_->penalty += k_.nm_value(n, now, t_.nm);
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

  const Task& t_;
  const Kernels<C>& k_;
  Narrow<S> narrow_;
  C grad_scale_;
  Statistics* statistics_;
  bool in_place_;
};

}  // namespace proxstep::cpu
