// The step of arrays in a mixed layout, separably: many of them in one launch, one kernel for each
// layout. The rule and the penalty are uniform switches.
#pragma once
#include "share.cuh"
#include "stored_points.cuh"

namespace proxstep::cuda {

template <class C>
using MixedShare = Share<C, RuleArray<C>, RuleSettings<C>>;

template <class S, class C>
__device__ __forceinline__ void step_mixed_pack(const MixedShare<C>& share, const Noise& noise,
                                                const Place& at, bool counts, BlockSums<C>& sums) {
  Points<S> p;
  points(share, at, p);
  const auto before = p.x;
  store_points(share, noise, at, p, [&](int j) { return p.z.at[j]; });
  if (counts) add_point_sums(share, before, p, at.span, sums);
}

template <class S, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    mixed_kernel(const MixedTable<op::compute_t<S>, capacity> __grid_constant__ table) {
  using C = op::compute_t<S>;
  const MixedShare<C> share = share_of(table);
  const Noise noise = noise_of<S>(share, share.block * kRuleChunk<S>);
  BlockSums<C> sums = {};
  each_place<S>(share, kRuleChunk<S>, [&](const Place& at) {
    step_mixed_pack<S>(share, noise, at, table.sums != nullptr, sums);
  });
  if (table.sums) store_block_sums(sums, table.sums + blockIdx.x);
}

}  // namespace proxstep::cuda
