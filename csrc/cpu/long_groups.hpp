// Long groups that lie in one piece and are stepped in place, one by one, where the rule has the
// same step for all elements.
#pragma once
#include "group_values.hpp"

namespace proxstep::cpu {

// A group is taken in parts: the points of each, their share of its sums, and the same part of the
// group before, which is scaled now. So loads never wait for long, and while the factor of a group
// is found those of the next one are on their way.
template <class S>
class LongGroups : protected GroupValues<S> {
  using Tile = TileRunner<S>;
  using Values = GroupValues<S>;
  using C = typename Tile::C;
  using index = typename Tile::index;

 protected:
  using Tile::in_place_;
  using Tile::k_;
  using Tile::point;
  using Tile::steps;
  using Tile::t_;
  using Tile::x;
  using Values::group_weights;
  using Values::offset;
  using Values::Values;

  static constexpr index kAlone = kTile / 2;

  bool is_long(index group) const {
    const bool plain = in_place_ && !t_.rule_steps && !t_.levels.given();
    return plain && offset(group + 1) - offset(group) >= kAlone;
  }

  void long_group(index group) {
    constexpr index kPart = kTile / 4;
    static_assert(kPart % (kLaneRows * kLanes) == 0, "a part ends no row early");
    const index begin = offset(group), n = offset(group + 1) - begin;
    C* const z = x(begin);
    const C* const s = t_.steps ? steps() + begin : nullptr;
    GroupLanes<C> lanes;
    for (index i = 0; i < n; i += kPart) {
      const index count = std::min(kPart, n - i);
      point(begin + i, count, z + i, nullptr);
      k_.gather({count, z + i, s ? s + i : nullptr, i == 0, &lanes});
      scale_waiting(i + count);
    }
    scale_waiting();
    waiting_ = {n, 0, z, s,
                k_.factor[t_.groups.kind](segment_tile(group, group + 1, z, s, &lanes))};
  }

  // What is left of the group that waits, up to this element or all.
  void scale_waiting(index end) {
    const index count = std::min(end, waiting_.n) - waiting_.done;
    if (count <= 0) return;
    C* const z = waiting_.z + waiting_.done;
    k_.scale(count, z, waiting_.s ? waiting_.s + waiting_.done : nullptr, waiting_.factor);
    waiting_.done += count;
  }
  void scale_waiting() { scale_waiting(waiting_.n); }

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

 private:
  struct Waiting {
    index n, done;
    C* z;
    const C* s;
    GroupFactor<C> factor;
  };
  Waiting waiting_ = {};
};

}  // namespace proxstep::cpu
