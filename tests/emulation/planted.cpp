// Kernels with a fault and without, for test_emulation.py: what is wrong must be seen.
#include "cuda_emulation.hpp"
// The kernels come after the emulation.
#include "cuda/pack.cuh"
#include "cuda/sums.cuh"

namespace {

using namespace proxstep::cuda;

// Reverses a block's elements through shared memory.
template <bool waits>
__global__ void reverse(const int* from, int* to) {
  __shared__ int held[kThreads];
  held[threadIdx.x] = from[blockIdx.x * kThreads + threadIdx.x];
  if (waits) __syncthreads();
  to[blockIdx.x * kThreads + threadIdx.x] = held[kThreads - 1 - threadIdx.x];
}

// A sum over lanes of a warp through shared memory, as shuffles do it without a fault.
template <bool waits>
__global__ void rotate(const int* from, int* to) {
  __shared__ int held[kThreads];
  held[threadIdx.x] = from[threadIdx.x];
  if (waits) __syncwarp();
  const unsigned first = threadIdx.x / kWarp * kWarp;
  to[threadIdx.x] = held[first + (threadIdx.x + 1) % kWarp];
}

}  // namespace

extern "C" void reverse_blocks(int waits, int blocks, const int* from, int* to) {
  emulation::launch(blocks, kThreads,
                    [&] { waits ? reverse<true>(from, to) : reverse<false>(from, to); });
}
extern "C" void rotate_warps(int waits, const int* from, int* to) {
  emulation::launch(1, kThreads, [&] { waits ? rotate<true>(from, to) : rotate<false>(from, to); });
}
extern "C" void sum_block(const double* from, double* to) {
  emulation::launch(1, kThreads, [&] { to[threadIdx.x] = block_sum(from[threadIdx.x]); });
}
// Reads 16 bytes, wherever they are.
extern "C" float load_wide(const float* from) {
  Pack<float, 4> pack;
  load(pack, from, 4, true);
  return pack.at[0];
}
// Half of the threads wait for the other half, which never comes.
extern "C" void wait_in_vain() {
  emulation::launch(1, kThreads, [] {
    if (threadIdx.x % 2) __syncthreads();
  });
}
