// Groups that are the columns of a matrix in C order.
#pragma once
#include "segment_runner.hpp"

namespace proxstep::cpu {

template <class S>
class ColumnRunner : protected SegmentRunner<S> {
  using Tile = TileRunner<S>;
  using Values = GroupValues<S>;
  using Segments = SegmentRunner<S>;
  using C = typename Tile::C;
  using index = typename Tile::index;

 protected:
  using Segments::Segments;
  using Tile::finish;
  using Tile::has_steps;
  using Tile::in_place_;
  using Tile::k_;
  using Tile::point;
  using Tile::statistics_;
  using Tile::steps;
  using Tile::t_;
  using Tile::tiles;
  using Tile::x;
  using Values::column_values;
  using Values::group_weights;
  using Values::norm_of;
  using Values::room;

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
    const Underflow underflow;
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
      for (index j = 0; j < width; ++j) {
        sums[j] = norm_of(std::sqrt(sums[j]), underflow, z + j, rows, ld);
      }
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

 private:
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
};

}  // namespace proxstep::cpu
