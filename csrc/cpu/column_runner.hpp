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
    const auto own = in_place_ ? nullptr : room(rows * width);
    const Stripe stripe = in_place_ ? Stripe{first, width, rows, x(first), t_.groups.count}
                                    : Stripe{first, width, rows, own.get(), width};
    has_steps() ? keep_shares(stripe) : scale(stripe);
    if (statistics_) column_values(first, width, rows);
  }

 private:
  struct Stripe {
    index first, width, rows;
    C* z;
    index stride;
  };

  index place(const Stripe& stripe, index row, index j) const {
    return row * t_.groups.count + stripe.first + j;
  }

  // body(row, first column of a tile, count, z)
  template <class Body>
  static void each_row(const Stripe& stripe, const Body& body) {
    for (index row = 0; row < stripe.rows; ++row) {
      tiles(0, stripe.width,
            [&](index j, index n) { body(row, j, n, stripe.z + row * stripe.stride + j); });
    }
  }
  template <class Body>
  void scale_rows(const Stripe& stripe, const Body& body) const {
    each_row(stripe, [&](index row, index j, index n, C* z) {
      body(row, j, n, z);
      if (!in_place_) finish(place(stripe, row, j), n, z);
    });
  }

  // One step for all elements.
  void scale(const Stripe& stripe) const {
    const std::unique_ptr<double[]> sums(new double[stripe.width]());
    const Underflow underflow;
    each_row(stripe, [&](index row, index j, index n, C* z) {
      point(place(stripe, row, j), n, z, nullptr);
      k_.add_squares(n, z, sums.get() + j);
    });
    for (index j = 0; j < stripe.width; ++j) {
      sums[j] = norm_of(std::sqrt(sums[j]), underflow, stripe.z + j, stripe.rows, stripe.stride);
    }
    k_.scales[t_.groups.kind]({stripe.width, sums.get(), static_cast<C>(t_.step),
                               group_weights(stripe.first), t_.groups.settings});
    scale_rows(stripe, [&](index, index j, index n, C* z) { k_.multiply(n, z, sums.get() + j); });
  }

  // A step for each element.
  void keep_shares(const Stripe& stripe) const {
    const index width = stripe.width, rows = stripe.rows;
    const auto own = t_.steps ? nullptr : room(rows * width);
    const C* const s = t_.steps ? steps() + stripe.first : own.get();
    const index s_stride = t_.steps ? t_.groups.count : width;
    const std::unique_ptr<double[]> sums(new double[2 * width]());
    const auto bounds = room(2 * width), roots = room(width);
    std::fill_n(bounds.get(), width, op::infinity<C>());
    std::fill_n(bounds.get() + width, width, C(0));
    const auto sums_at = [&](index j) {
      return ColumnSums<C>{sums.get() + j, sums.get() + width + j, bounds.get() + j,
                           bounds.get() + width + j};
    };
    for (index row = 0; row < rows; row += kLaneRows) {
      const index few = std::min<index>(kLaneRows, rows - row);
      tiles(0, width, [&](index j, index n) {
        C* const z = stripe.z + row * stripe.stride + j;
        for (index i = 0; i < few; ++i) {
          point(place(stripe, row + i, j), n, z + i * stripe.stride,
                own ? own.get() + (row + i) * width + j : nullptr);
        }
        k_.add_columns({n, few, z, stripe.stride, s + row * s_stride + j, s_stride, sums_at(j)});
      });
    }
    const auto packed = room(2 * RootTile<C>::kPacked * RootTile<C>::packed_length(rows));
    k_.roots[t_.groups.kind]({{width, rows, stripe.z, stripe.stride, s, s_stride, sums_at(0)},
                              group_weights(stripe.first),
                              t_.groups.settings,
                              packed.get(),
                              roots.get()});
    scale_rows(stripe, [&](index row, index j, index n, C* z) {
      k_.keep_shares({n, 1, z, stripe.stride, s + row * s_stride + j, s_stride, {}},
                     roots.get() + j);
    });
  }
};

}  // namespace proxstep::cpu
