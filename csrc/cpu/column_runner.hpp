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
  // Rows of a tile of its columns.
  struct Block {
    index row, rows, first, width;
    C* z;
  };

  // Many rows at a time where they are short: as many as fill a tile, kLaneRows at least.
  template <class Body>
  static void each_block(const Stripe& stripe, const Body& body) {
    const index in_tile = kTile / stripe.width / kLaneRows * kLaneRows;
    const index most = std::max<index>(kLaneRows, in_tile);
    for (index row = 0; row < stripe.rows; row += most) {
      const index rows = std::min(most, stripe.rows - row);
      tiles(0, stripe.width, [&](index j, index n) {
        body(Block{row, rows, j, n, stripe.z + row * stripe.stride + j});
      });
    }
  }
  // body(row, place in the array, count, z) over the pieces of a block: its rows, or all that lie
  // one behind the other.
  template <class Body>
  void each_piece(const Stripe& stripe, const Block& block, const Body& body) const {
    const bool joined = block.width == t_.groups.count && block.rows * block.width <= kTile;
    const index rows = joined ? block.rows : 1;
    for (index i = 0; i < block.rows; i += rows) {
      const index row = block.row + i;
      body(row, row * t_.groups.count + stripe.first + block.first, rows * block.width,
           block.z + i * stripe.stride);
    }
  }
  // body(block), and the store.
  template <class Body>
  void scale_blocks(const Stripe& stripe, const Body& body) const {
    each_block(stripe, [&](const Block& block) {
      body(block);
      if (in_place_) return;
      each_piece(stripe, block, [&](index, index at, index n, C* z) { finish(at, n, z); });
    });
  }

  // One step for all elements.
  void scale(const Stripe& stripe) const {
    const std::unique_ptr<double[]> sums(new double[stripe.width]());
    const Underflow underflow;
    each_block(stripe, [&](const Block& b) {
      each_piece(stripe, b, [&](index, index at, index n, C* z) { point(at, n, z, nullptr); });
      for (index i = 0; i < b.rows; ++i) {
        k_.add_squares(b.width, b.z + i * stripe.stride, sums.get() + b.first);
      }
    });
    for (index j = 0; j < stripe.width; ++j) {
      sums[j] = norm_of(std::sqrt(sums[j]), underflow, stripe.z + j, stripe.rows, stripe.stride);
    }
    k_.scales[t_.groups.kind]({stripe.width, sums.get(), static_cast<C>(t_.step),
                               group_weights(stripe.first), t_.groups.settings});
    scale_blocks(stripe, [&](const Block& b) {
      for (index i = 0; i < b.rows; ++i) {
        k_.multiply(b.width, b.z + i * stripe.stride, sums.get() + b.first);
      }
    });
  }

  // A step for each element.
  void keep_shares(const Stripe& stripe) const {
    const index width = stripe.width, rows = stripe.rows;
    const auto own = t_.steps ? nullptr : room(rows * width);
    const C* const s = t_.steps ? steps() + stripe.first : own.get();
    const index s_stride = t_.steps ? t_.groups.count : width;
    const std::unique_ptr<double[]> sums(new double[2 * width]());
    const auto bounds = room(2 * width), roots = room(width);
    const auto packed = room(2 * RootTile<C>::kPacked * RootTile<C>::packed_length(rows));
    std::fill_n(bounds.get(), width, op::infinity<C>());
    std::fill_n(bounds.get() + width, width, C(0));
    const auto columns_of = [&](const Block& b) {
      const ColumnSums<C> to = {sums.get() + b.first, sums.get() + width + b.first,
                                bounds.get() + b.first, bounds.get() + width + b.first};
      const C* const block_steps = s + b.row * s_stride + b.first;
      return ColumnRows<C>{b.width, b.rows, b.z, stripe.stride, block_steps, s_stride, to};
    };
    each_block(stripe, [&](const Block& b) {
      each_piece(stripe, b, [&](index row, index at, index n, C* z) {
        point(at, n, z, own ? own.get() + row * width + b.first : nullptr);
      });
      k_.add_columns(columns_of(b));
    });
    k_.roots[t_.groups.kind]({columns_of({0, rows, 0, width, stripe.z}),
                              group_weights(stripe.first), t_.groups.settings, packed.get(),
                              roots.get()});
    scale_blocks(stripe,
                 [&](const Block& b) { k_.keep_shares(columns_of(b), roots.get() + b.first); });
  }
};

}  // namespace proxstep::cpu
