// Steps that keep the elements of largest score. Passes over all arrays count the scores by one
// digit after the other; integers are added, so that no order matters. The first pass may store
// the points, which later ones then read; the last drops what does not stay.
#pragma once
#include "cut_kernel.cuh"
#include "in_order.cuh"
#include "scores.cuh"
#include "select_tables.hpp"
#include "share.cuh"
#include "stored_points.cuh"

namespace proxstep::cuda {

template <class C>
using SelectShare = Share<C, SelectArray<C>, SelectSettings<C>>;

// Points that were stored, and their steps, which follow from the moments.
template <class S, class C>
__device__ __forceinline__ void stored_points(const SelectShare<C>& share, const Place& at,
                                              Points<S>& p) {
  gather(p.x, static_cast<const S*>(share.array.x), at);
  p.z = widened(p.x);
  if (!share.settings.steps_differ) return;
  op::with_member(op::Rules{}, share.settings.rule, [&](auto member) {
    using Rule = typename decltype(member)::template of<C>;
    if constexpr (!Rule::scalar_step) {
      const Rule& rule = *reinterpret_cast<const Rule*>(share.step.rule.held);
      gather(p.m[0], share.array.m[Rule::slots - 1], at);
#pragma unroll
      for (int j = 0; j < kRulePack<S>; ++j) p.s.at[j] = rule.step(p.m[0].at[j]);
    }
  });
}

// Whether all of a block's elements stay, and count for nothing, since others move but not they.
template <class C>
__device__ __forceinline__ bool is_frozen(const SelectShare<C>& share, const Cut& cut) {
  const double* const rate = share.settings.rate;
  return rate && cut.moves && is_at_rest<C>(rate);
}

// How a block finds its points. While nothing moves, all scores by steps would be infinite.
struct Ranked {
  bool stored, by_steps;
  template <class S, class C>
  __device__ __forceinline__ Scores<S> operator()(const SelectShare<C>& share, const Place& at,
                                                  Points<S>& p) const {
    if constexpr (!LayoutOf<S>::is_mixed) {  // points of those are never stored before
      if (stored) {
        stored_points<S>(share, at, p);
        return scores(p, by_steps);
      }
    }
    points(share, at, p);
    return scores(p, by_steps);
  }
};

// A block's bins go to those of its selection, the last ones to memory of its own as well.
template <class C>
__device__ void leave_bins(const SelectShare<C>& share, const unsigned* bins) {
  const Ranking& ranking = share.settings.ranking;
  unsigned long long* const all =
      ranking.bins + share.array.selection * static_cast<long long>(kWideBins);
  const long long block = share.array.first_block + share.block;
  const bool last = digit_of<C>(share.settings.pass).shift == 0;
  for (int b = threadIdx.x; b < kWideBins; b += kThreads) {
    if (bins[b]) atomicAdd(all + b, static_cast<unsigned long long>(bins[b]));
    if (last && b < kLastBins<C>) ranking.last_bins[block * kLastBins<C> + b] = bins[b];
  }
}

template <class S, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    rank_kernel(const SelectTable<op::compute_t<S>, capacity> __grid_constant__ table) {
  using C = op::compute_t<S>;
  __shared__ unsigned bins[kWideBins];
  const SelectShare<C> share = share_of(table);
  const SelectSettings<C>& settings = share.settings;
  const Cut cut = settings.ranking.cuts[share.array.selection];
  const bool stores = settings.in_place && settings.pass == 0;
  if (cut.done && !stores) return;
  const bool frozen = is_frozen(share, cut);
  for (int b = threadIdx.x; b < kWideBins; b += kThreads) bins[b] = 0;
  __syncthreads();
  const Digit digit = digit_of<C>(settings.pass);
  const Ranked ranked = {settings.in_place && !stores, settings.steps_differ && cut.moves};
  const int highest = (1 << (digit.above - digit.shift)) - 1;
  const auto known = static_cast<op::Score<C>>(cut.key >> digit.above);
  const auto rank = [&](const Place& at) {
    Points<S> p;
    const Scores<S> score = ranked(share, at, p);
    if constexpr (!LayoutOf<S>::is_mixed) {
      if (stores) store_points(share, Noise{}, at, p, [&](int j) { return p.z.at[j]; });
    }
#pragma unroll
    for (int j = 0; j < kRulePack<S>; ++j) {
      if (frozen || !at.span.holds(j) || score.at[j] >> digit.above != known) continue;
      atomicAdd(bins + (score.at[j] >> digit.shift & highest), 1u);
    }
  };
  if (stores || !frozen) each_place<S>(share, share.settings.ranking.chunk, rank);
  __syncthreads();
  leave_bins(share, bins);
}

}  // namespace proxstep::cuda
