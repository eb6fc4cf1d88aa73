// The end of a step with a selection: what stays is known, the rest becomes zero.
#pragma once
#include "select_kernel.cuh"

namespace proxstep::cuda {

// Ties in front of a block: the earlier blocks of its selection have left their bins.
template <class C>
__device__ long long ties_before(const SelectShare<C>& share, const Cut& cut) {
  const unsigned* const bins = share.settings.ranking.last_bins + cut.key % kLastBins<C>;
  const long long block = share.array.first_block + share.block;
  long long ties = 0;
  for (long long k = cut.first_block + static_cast<int>(threadIdx.x); k < block; k += kThreads) {
    ties += bins[k * kLastBins<C>];
  }
  return block_sum(ties);
}

template <class S, class C>
__device__ __forceinline__ void drop_stored(const SelectShare<C>& share, const Place& at,
                                            const Pack<bool, kRulePack<S>>& stays, Points<S>& p) {
  bool drops = false;
#pragma unroll
  for (int j = 0; j < kRulePack<S>; ++j) {
    if (stays.at[j]) continue;
    p.x.at[j] = x_t<S>{};
    drops = true;
  }
  if (drops) scatter(p.x, static_cast<x_t<S>*>(share.array.x), at);
}

template <class X, class C, int n>
__device__ __forceinline__ void add_kept_values(const Pack<X, n>& x, const Span& span,
                                                BlockSums<C>& sums) {
#pragma unroll
  for (int j = 0; j < n; ++j) {
    if (span.holds(j)) sums.penalty += op::zero_or_nan(op::Storage<X>::load(x.at[j]));
  }
}

template <class S, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    keep_kernel(const SelectTable<op::compute_t<S>, capacity> __grid_constant__ table) {
  using C = op::compute_t<S>;
  constexpr int n = kRulePack<S>;
  const SelectShare<C> share = share_of(table);
  Cut cut = share.settings.ranking.cuts[share.array.selection];
  if (is_frozen(share, cut)) cut.key = cut.rank = cut.count = 0;
  const bool in_order = cut.rank < cut.count;
  const bool stored = !LayoutOf<S>::is_mixed && share.settings.in_place;
  if (stored && cut.key == 0 && !in_order) return;  // all stay
  const Ranked ranked = {stored, share.settings.steps_differ && cut.moves};
  Ties<op::Score<C>> ties = {static_cast<op::Score<C>>(cut.key), cut.rank};
  if (in_order) ties.wanted -= ties_before(share, cut);
  const Noise noise = noise_of<S>(share, share.block * share.settings.ranking.chunk);
  BlockSums<C> sums = {};
  each_place<S>(share, share.settings.ranking.chunk, [&](const Place& at) {
    Points<S> p;
    const Scores<S> score = ranked(share, at, p);
    Pack<bool, n> stays;
    if (in_order) {
      ties.wanted -= stay_in_order<kThreads>(score, at.span, ties, stays);
    } else {
#pragma unroll
      for (int j = 0; j < n; ++j) stays.at[j] = score.at[j] >= ties.key;
    }
    if (stored) return drop_stored<S>(share, at, stays, p);
    const auto before = p.x;
    store_points(share, noise, at, p, [&](int j) { return stays.at[j] ? p.z.at[j] : C(0); });
    if (!table.sums) return;
    add_point_sums(share, before, p, at.span, sums);
    add_kept_values(p.x, at.span, sums);
  });
  if (table.sums) store_block_sums(sums, table.sums + blockIdx.x);
}

}  // namespace proxstep::cuda
