// GELU in its tanh form and its slope, element by element: the CPU's bits.
#pragma once
#include "../op/gelu.hpp"
#include "layer_tables.hpp"
#include "pack.cuh"

namespace proxstep::cuda {

// y = gelu(x), or y *= its slope there.
template <bool slope, class T>
__device__ __forceinline__ void gelu_chunk(const GeluCall<T>& call) {
  constexpr int n = kPack<T>;
  const long long begin = blockIdx.x * kChunk<T>, end = op::least(begin + kChunk<T>, call.n);
  const bool aligned = is_aligned(call.x) && is_aligned(call.y);
  for (long long i = begin + threadIdx.x * n; i < end; i += kThreads * n) {
    const int count = static_cast<int>(op::least<long long>(n, end - i));
    const bool whole = aligned && count == n;
    Pack<T, n> x, y;
    load(x, call.x + i, count, whole);
    if (slope) load(y, call.y + i, count, whole);
#pragma unroll
    for (int j = 0; j < n; ++j) {
      y.at[j] = slope ? y.at[j] * op::gelu_slope(x.at[j]) : op::gelu(x.at[j]);
    }
    store(y, call.y + i, count, whole);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) gelu_kernel(const GeluCall<T> __grid_constant__ call) {
  gelu_chunk<false>(call);
}
template <class T>
__global__ void __launch_bounds__(kThreads)
    gelu_slope_kernel(const GeluCall<T> __grid_constant__ call) {
  gelu_chunk<true>(call);
}

}  // namespace proxstep::cuda
