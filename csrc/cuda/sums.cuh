// Sums over a warp or a block, in a fixed order: the same bits every time. All threads call them.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;

template <class T>
__device__ T warp_sum(T value) {
#pragma unroll
  for (int apart = kWarp / 2; apart > 0; apart /= 2) {
    value = value + __shfl_xor_sync(kAllLanes, value, apart);
  }
  return value;
}

// Every thread gets the sum.
template <class T>
__device__ T block_sum(T value) {
  __shared__ T parts[kThreads / kWarp];
  value = warp_sum(value);
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
  T sum = parts[0];
#pragma unroll
  for (int k = 1; k < kThreads / kWarp; ++k) sum = sum + parts[k];
  __syncthreads();  // parts may be written again
  return sum;
}

}  // namespace proxstep::cuda
