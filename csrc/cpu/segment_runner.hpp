// Groups that lie in one piece: completed before their elements are stored.
#pragma once
#include "long_groups.hpp"

namespace proxstep::cpu {

// Room for elements: for a few it is there, for more it is made.
template <class C, std::int64_t few>
class Room {
 public:
  C* of(std::int64_t n) {
    if (n <= few) return few_;
    if (n > size_) many_.reset(new Line[((size_ = n) + kLine - 1) / kLine]);
    return many_[0].of;
  }

 private:
  static constexpr std::int64_t kLine = 64 / sizeof(C);
  struct alignas(64) Line {
    C of[kLine];
  };
  std::unique_ptr<Line[]> many_;
  std::int64_t size_ = few;
  alignas(64) C few_[few];
};

template <class S>
class SegmentRunner : protected LongGroups<S> {
  using Tile = TileRunner<S>;
  using Values = GroupValues<S>;
  using Long = LongGroups<S>;
  using C = typename Tile::C;
  using index = typename Tile::index;

 protected:
  using Long::is_long;
  using Long::kAlone;
  using Long::Long;
  using Long::long_group;
  using Long::scale_waiting;
  using Long::segment_tile;
  using Tile::finish;
  using Tile::in_place_;
  using Tile::k_;
  using Tile::point;
  using Tile::statistics_;
  using Tile::steps;
  using Tile::t_;
  using Tile::tiles;
  using Tile::x;
  using Values::add_levels_value;
  using Values::level_scales;
  using Values::offset;
  using Values::segment_values;

  void segments(index first, index last) {
    for (index group = first; group < last;) {
      if (is_long(group)) {
        long_group(group++);
        continue;
      }
      index stop = group + 1;
      const index most = offset(stop) - offset(group) < kAlone ? kSpan : 0;
      while (stop < last && offset(stop + 1) - offset(group) <= most) ++stop;
      span(group, stop);
      group = stop;
    }
    scale_waiting();
  }

 private:
  static constexpr index kSpan = 2 * kTile;  // small groups are taken this many elements at a time

  // Whole groups first..last: few small ones or a single large one.
  void span(index first, index last) {
    const index begin = offset(first), n = offset(last) - begin;
    C* const z = in_place_ ? x(begin) : own_.of(n);
    C* const rule_steps = t_.rule_steps && !t_.levels.given() ? own_steps_.of(n) : nullptr;
    const C* const s = t_.steps ? steps() + begin : rule_steps;
    const bool gathers = n > 0 && last - first == 1 && !t_.levels.given();
    GroupLanes<C> lanes;
    tiles(begin, n, [&](index at, index count) {
      const index i = at - begin;
      point(at, count, z + i, rule_steps ? rule_steps + i : nullptr);
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

  Room<C, 4 * kSpan> own_, own_steps_;
};

}  // namespace proxstep::cpu
