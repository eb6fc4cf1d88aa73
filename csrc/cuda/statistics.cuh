// What a step can tell of its result: counted in its own pass, added up by a second, tiny kernel.
#pragma once
#include "pack.cuh"
#include "sums.cuh"

namespace proxstep::cuda {

// What a pack was and is, and the weights of its elements.
template <class S, int n>
struct Change {
  const Pack<S, n>&before, &after;
  const Pack<op::compute_t<S>, n>& weights;
};

template <class S, class C, int n, class Sum>
__device__ void add_sums(const AnyPenalty<C>& any, const Change<S, n>& change, const Span& span,
                         BlockSums<Sum>& sums) {
  with_penalty(any, [&](const auto& penalty) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      const C x = op::Storage<S>::load(change.after.at[j]);
      if (span.holds(j)) sums.penalty += op::weighted_value(penalty, x, change.weights.at[j]);
    }
  });
#pragma unroll
  for (int j = 0; j < n; ++j) {
    if (!span.holds(j)) continue;
    const C x = op::Storage<S>::load(change.after.at[j]);
    const Sum moved = Sum(x) - Sum(op::Storage<S>::load(change.before.at[j]));
    sums.squared_change += moved * moved;
    sums.nonzeros += x != C(0);
    sums.not_finite += !(x - x == C(0));
  }
}

template <class C>
__device__ void store_block_sums(const BlockSums<C>& sums, BlockSums<C>* to) {
  const BlockSums<C> all{block_sum(sums.penalty), block_sum(sums.squared_change),
                         block_sum(sums.nonzeros), block_sum(sums.not_finite)};
  if (threadIdx.x == 0) *to = all;
}

// The penalty's value of one array, its nonzeros and what is not finite.
template <class S>
__global__ void __launch_bounds__(kThreads)
    value_kernel(const ValueCall<op::compute_t<S>> __grid_constant__ call) {
  using C = op::compute_t<S>;
  const long long begin = blockIdx.x * kChunk<S>, end = op::least(begin + kChunk<S>, call.n);
  const bool aligned = is_aligned(call.x) && is_aligned(call.weights);
  BlockSums<C> sums = {};
  for (long long i = begin + threadIdx.x * kPack<S>; i < end; i += kThreads * kPack<S>) {
    const int count = static_cast<int>(op::least<long long>(kPack<S>, end - i));
    const bool whole = aligned && count == kPack<S>;
    Pack<S, kPack<S>> x;
    Pack<C, kPack<S>> weights;
    load(x, static_cast<const S*>(call.x) + i, count, whole);
#pragma unroll
    for (int j = 0; j < kPack<S>; ++j) weights.at[j] = C(1);
    if (call.weights) load(weights, call.weights + i, count, whole);
    add_sums(call.penalty, Change<S, kPack<S>>{x, x, weights}, {0, count}, sums);
  }
  store_block_sums(sums, call.sums + blockIdx.x);
}

// All blocks' sums, in double.
template <class C>
__global__ void __launch_bounds__(kThreads) sum_kernel(const SumCall<C> __grid_constant__ call) {
  DeviceStatistics own = {};
  for (int k = threadIdx.x; k < call.count; k += kThreads) {
    own.penalty += call.parts[k].penalty;
    own.squared_change += call.parts[k].squared_change;
    own.nonzeros += call.parts[k].nonzeros;
    own.not_finite += call.parts[k].not_finite;
  }
  const DeviceStatistics all{block_sum(own.penalty), block_sum(own.squared_change),
                             block_sum(own.nonzeros), block_sum(own.not_finite)};
  if (threadIdx.x > 0) return;
  const DeviceStatistics before = call.fresh ? DeviceStatistics{} : *call.to;
  *call.to = {before.penalty + all.penalty, before.squared_change + all.squared_change,
              before.nonzeros + all.nonzeros, before.not_finite + all.not_finite};
}

}  // namespace proxstep::cuda
