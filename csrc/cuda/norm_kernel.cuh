// The global norm of many arrays and the factor that clips it: sums of squares in double, one a
// block, then one block adds them up. Nothing returns to the host.
#pragma once
#include "pack.cuh"
#include "sums.cuh"

namespace proxstep::cuda {

template <class S>
__global__ void __launch_bounds__(kThreads) norm_kernel(const NormTable __grid_constant__ table) {
  const int block = static_cast<int>(blockIdx.x);
  const int k = array_of_block(table.first_block, table.count, block);
  const S* const x = static_cast<const S*>(table.x[k]);
  const long long begin = (block - table.first_block[k]) * kChunk<S>;
  const long long end = op::least(begin + kChunk<S>, table.n[k]);
  const bool aligned = is_aligned(x);
  double sum = 0;
  for (long long i = begin + threadIdx.x * kPack<S>; i < end; i += kThreads * kPack<S>) {
    const int count = static_cast<int>(op::least<long long>(kPack<S>, end - i));
    Pack<S, kPack<S>> pack;
    load(pack, x + i, count, aligned && count == kPack<S>);
#pragma unroll
    for (int j = 0; j < kPack<S>; ++j) {
      const double value = op::Storage<S>::load(pack.at[j]);
      sum += value * value;
    }
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) table.sums[block] = sum;
}

// A template, so that a header can define it.
template <class Unused>
__global__ void __launch_bounds__(kThreads) clip_kernel(const ClipCall __grid_constant__ call) {
  double sum = 0;
  for (int k = threadIdx.x; k < call.count; k += kThreads) sum += call.sums[k];
  const double norm = op::magnitude(call.grad_scale) * op::square_root(block_sum(sum));
  const bool clips = call.max_norm > 0 && norm > call.max_norm;
  const double scale = clips ? call.grad_scale * (call.max_norm / norm) : call.grad_scale;
  if (threadIdx.x == 0) *call.to = {norm, scale, static_cast<float>(scale)};
}

}  // namespace proxstep::cuda
