// The step of arrays that are drawn to levels: many of them in one launch, one kernel for each
// storage type. A group belongs to a team, which finds its scale and then draws its elements; long
// groups belong to several blocks, which find their scales in a launch before.
#pragma once
#include "quantize_levels.cuh"
#include "quantize_scale.cuh"
#include "stored_points.cuh"

namespace proxstep::cuda {

template <class C>
struct Drawing {
  C scale;
  Noise noise;
  bool counts;
};

template <class S, class C>
__device__ __forceinline__ void draw_pack(const LevelRun<C>& run, const Drawing<C>& how,
                                          const Place& at, BlockSums<double>& sums) {
  constexpr int n = kRulePack<S>;
  Points<S> p;
  points(run, at, p);
  if constexpr (!LayoutOf<S>::is_mixed) {
    if (run.settings.stays) p.x = p.g;
  }
  const auto before = p.x;
  with_levels(run.settings, how.scale, [&](const auto& levels) {
#pragma unroll
    for (int j = 0; j < n; ++j) p.z.at[j] = drawn(levels, p.z.at[j], run.settings.rho);
  });
  if (!run.settings.stays) {
    store_points(run, how.noise, at, p, [&](int j) { return p.z.at[j]; });
  }
  if (!how.counts) return;
  add_point_sums(run, before, p, at.span, sums);
  with_levels(run.settings, how.scale, [&](const auto& levels) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      if (at.span.holds(j)) sums.penalty += value_of(levels, p.x.at[j], run.settings.wide_rho);
    }
  });
}

// What a block does, whatever the table's capacity.
template <class S, class C>
__device__ __noinline__ BlockSums<double> draw_groups(const LevelShare<C> share, bool counts) {
  const LevelRun<C> run = level_run(share);
  BlockSums<double> sums = {};
  if (run.team.group >= share.array.groups.count) return sums;
  const Drawing<C> how{scale_of<S>(run), noise_of<S>(run, run.piece.begin), counts};
  each_pack<kRulePack<S>>(run.team, run.piece, run.aligned,
                          [&](const Place& at) { draw_pack<S>(run, how, at, sums); });
  return sums;
}

template <class S, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    quantize_kernel(const LevelTable<op::compute_t<S>, capacity> __grid_constant__ table) {
  const BlockSums<double> sums = draw_groups<S>(share_of(table), table.sums != nullptr);
  if (table.sums) store_block_sums(sums, table.sums + blockIdx.x);
}

// A block's piece of a group that several share; nothing is stored but what it found.
template <class S, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    sizes_kernel(const LevelTable<op::compute_t<S>, capacity> __grid_constant__ table) {
  const auto run = level_run(share_of(table));
  const auto sizes = sizes_of_piece<S>(run);
  if (threadIdx.x == 0) run.array.groups.sizes[run.team.group] = {sizes.largest, sizes.sum};
}

}  // namespace proxstep::cuda
