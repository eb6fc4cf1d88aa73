// The scale of a group: given, or what its team, or all the blocks that share it, find of |z|.
#pragma once
#include "../op/project.hpp"
#include "group_packs.cuh"
#include "points.cuh"
#include "quantize_tables.hpp"

namespace proxstep::cuda {

template <class C>
using LevelShare = Share<C, LevelArray<C>, LevelSettings<C>>;

// A team's piece of a group, which may be all of it.
template <class C>
struct LevelRun : LevelShare<C> {
  bool aligned;
  Team team;
  long long group, length;  // which, and of how many elements
  Extent piece;
};

template <class C>
__device__ LevelRun<C> level_run(const LevelShare<C>& share) {
  const LevelGroups<C>& groups = share.array.groups;
  const Team team = make_team(groups, share.block);
  const long long group = team.group / groups.pieces;
  const long long begin = group * groups.length;
  const long long length = op::least(groups.length, share.array.n - begin);
  const long long first = team.group % groups.pieces * groups.piece;
  const Extent piece{begin + first, 1, op::least(groups.piece, length - first)};
  return {share, is_aligned(share.array), team, group, length, piece};
}

// Of |z|; largest: bits, in whose order NaN is above infinity.
template <class C>
struct Sizes {
  op::Key<C> largest;
  double sum;
};

template <class C>
__device__ __forceinline__ Sizes<C> over_team(const LevelRun<C>& run, const Sizes<C>& own) {
  return {combined<Most>(run.team, own.largest), combined<Plus>(run.team, own.sum)};
}

template <class S, class C>
__device__ __forceinline__ Sizes<C> sizes_of_piece(const LevelRun<C>& run) {
  Sizes<C> own{};
  each_pack<kRulePack<S>>(run.team, run.piece, run.aligned, [&](const Place& at) {
    Points<S> p;
    points(run, at, p);
#pragma unroll
    for (int j = 0; j < kRulePack<S>; ++j) {
      if (!at.span.holds(j)) continue;
      own.largest = op::most(own.largest, op::Bits<C>::of(p.z.at[j]) & (op::kSign<C> - 1));
      if (run.settings.mean) own.sum += double(op::magnitude(p.z.at[j]));
    }
  });
  return over_team(run, own);
}

// Of all pieces of the group.
template <class C>
__device__ __forceinline__ Sizes<C> sizes_of_group(const LevelRun<C>& run) {
  const LevelGroups<C>& groups = run.array.groups;
  const PieceSizes* const all = groups.sizes + run.group * groups.pieces;
  Sizes<C> own{};
  for (long long k = run.team.lane; k < groups.pieces; k += run.team.lanes) {
    own.largest = op::most(own.largest, static_cast<op::Key<C>>(all[k].largest));
    own.sum += all[k].sum;
  }
  return over_team(run, own);
}

// One that is found is rounded as it would be stored, so that what is stored has it again.
template <class S, class C>
__device__ __forceinline__ C scale_of(const LevelRun<C>& run) {
  const LevelGroups<C>& groups = run.array.groups;
  if (groups.scales) return groups.scales[groups.shared ? 0 : run.group];
  const Sizes<C> sizes = groups.sizes ? sizes_of_group(run) : sizes_of_piece<S>(run);
  C scale = op::Bits<C>::number(sizes.largest);
  if (run.settings.mean) {
    scale = op::mean_scale(sizes.sum, double(run.length), run.settings.multiple, scale);
  }
  using X = x_t<S>;
  return op::Storage<X>::load(op::Storage<X>::pack(scale));
}

}  // namespace proxstep::cuda
