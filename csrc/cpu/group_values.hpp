// Groups of one task: where they lie, and what the statistics say of them.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>

#include "../op/group.hpp"
#include "tile_runner.hpp"
#include "underflow.hpp"

namespace proxstep::cpu {

template <class S>
class GroupValues : protected TileRunner<S> {
  using Tile = TileRunner<S>;
  using C = typename Tile::C;
  using index = typename Tile::index;

 protected:
  using Tile::element_values;
  using Tile::k_;
  using Tile::kWide;
  using Tile::statistics_;
  using Tile::stored;
  using Tile::sum_of_squares;
  using Tile::t_;
  using Tile::Tile;
  using Tile::tiles;

  static std::unique_ptr<C[]> room(index n) { return std::unique_ptr<C[]>(new C[n]); }

  const C* group_weights(index group) const {
    return t_.groups.weights ? static_cast<const C*>(t_.groups.weights) + group : nullptr;
  }
  index offset(index group) const {
    return t_.groups.offsets ? t_.groups.offsets[group] : std::min(group * t_.groups.length, t_.n);
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

  double group_weight(index group) const {
    return t_.groups.weights ? static_cast<double>(*group_weights(group)) : 1.0;
  }
  void add_group_value(double norm, index group) const {
    const auto value = [&](double r) {
      return k_.group_value[t_.groups.kind](r, group_weight(group), t_.groups.settings);
    };
    statistics_->penalty += op::group_value<S>(value, norm);
  }
  void segment_values(index first, index last) const {
    const Underflow underflow;
    for (index k = first; k < last; ++k) {
      const index begin = offset(k), end = offset(k + 1);
      const double root = std::sqrt(sum_of_squares(begin, end));
      add_group_value(norm_of(root, underflow, stored(begin), end - begin, 1), k);
    }
  }
  void column_values(index first, index width, index rows) const {
    const std::unique_ptr<double[]> sums(new double[width]());
    C buffer[kTile];
    const Underflow underflow;
    for (index r = 0; r < rows; ++r) {
      tiles(0, width, [&](index j, index n) {
        const C* const now = wide(stored(r * t_.groups.count + first + j), n, buffer);
        k_.add_squares(n, now, sums.get() + j);
      });
    }
    for (index k = first; k < first + width; ++k) {
      const double root = std::sqrt(sums[k - first]);
      add_group_value(norm_of(root, underflow, stored(k), rows, t_.groups.count), k);
    }
  }

  // The norm of a group of n from the root of the sum of its squares; once more from the elements,
  // `stride` from one to the next, where these left the range. Where none fell below it, a sum of 0
  // is one of zeros.
  template <class T>
  double norm_of(double root, const Underflow& underflow, const T* first, index n,
                 index stride) const {
    if (op::is_norm<C>(root) || (root == 0.0 && !underflow.seen())) return root;
    const auto group = room(n);
    for (index i = 0; i < n; ++i) group[i] = op::Storage<T>::load(first[i * stride]);
    return k_.group_norm(n, group.get(), root);
  }
};

}  // namespace proxstep::cpu
