// The logistic loss, the search for a bad label, and the sum of what blocks found.
#pragma once
#include "../op/loss.hpp"
#include "loss_tables.hpp"
#include "pack.cuh"
#include "sums.cuh"

namespace proxstep::cuda {

// Returns the losses' weighted sum; u becomes the gradient. A weight of 0 is as good as absence.
template <class T, int n>
__device__ double logistic_pack(Pack<T, n>& u, const Pack<T, n>& t, const Pack<T, n>& weights,
                                T scale) {
  double sum = 0;
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const T weight = weights.at[j];
    const op::LossPoint<T> at = op::logistic(u.at[j], t.at[j]);
    u.at[j] = weight == T(0) ? T(0) : scale * weight * at.slope;
    sum += weight == T(0) ? 0.0 : static_cast<double>(weight) * static_cast<double>(at.value);
  }
  return sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    logistic_kernel(const LogisticCall<T> __grid_constant__ call) {
  constexpr int n = kPack<T>;
  const long long begin = blockIdx.x * kChunk<T>, end = op::least(begin + kChunk<T>, call.rows);
  const bool aligned = is_aligned(call.margin) && is_aligned(call.targets) &&
                       is_aligned(call.grad) && is_aligned(call.weights);
  double sum = 0;
  for (long long i = begin + threadIdx.x * n; i < end; i += kThreads * n) {
    const int count = static_cast<int>(op::least<long long>(n, end - i));
    const bool whole = aligned && count == n;
    Pack<T, n> u, t, weights;
    load(u, call.margin + i, count, whole);
    load(t, call.targets + i, count, whole);
#pragma unroll
    for (int j = 0; j < n; ++j) weights.at[j] = j < count ? T(1) : T(0);
    if (call.weights) load(weights, call.weights + i, count, whole);
    sum += logistic_pack(u, t, weights, call.scale);
    if (call.grad) store(u, call.grad + i, count, whole);
  }
  if (!call.losses) return;
  sum = block_sum(sum);
  if (threadIdx.x == 0) call.losses[blockIdx.x] = sum;
}

// These are templates, so that a header can define them.
template <class Unused>
__global__ void __launch_bounds__(kThreads) label_kernel(const LabelCall __grid_constant__ call) {
  const long long begin = blockIdx.x * kLabelChunk, end = op::least(begin + kLabelChunk, call.rows);
  long long first = kNoRow;
  for (long long row = begin + threadIdx.x; row < end; row += kThreads) {
    const long long label = call.labels.at(row);
    if (label < 0 || label >= call.classes) first = op::least(first, row);
  }
  first = block_fold<long long>(first, Least{});
  if (threadIdx.x == 0) call.first_bad[blockIdx.x] = first;
}

template <class Unused>
__global__ void __launch_bounds__(kThreads) first_kernel(const FirstCall __grid_constant__ call) {
  long long first = kNoRow;
  for (int k = threadIdx.x; k < call.count; k += kThreads) first = op::least(first, call.rows[k]);
  first = block_fold<long long>(first, Least{});
  if (threadIdx.x == 0) *call.to = first;
}

// Where a row is bad, no block left a sum.
template <class Unused>
__global__ void __launch_bounds__(kThreads)
    loss_sum_kernel(const LossSumCall __grid_constant__ call) {
  const long long bad = call.bad_row ? *call.bad_row : kNoRow;
  const long long count = bad == kNoRow ? call.count : 0;
  double sum = 0;
  for (long long k = threadIdx.x; k < count; k += kThreads) sum += call.losses[k];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *call.to = {sum, bad, bad == kNoRow ? 0 : call.labels.at(bad)};
}

}  // namespace proxstep::cuda
