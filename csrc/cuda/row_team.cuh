// Threads that share a row: they find its maximum and its sums together. Sums of elements are of
// the elements' type; a block adds those of its warps in double.
#pragma once
#include "sums.cuh"

namespace proxstep::cuda {

// Neighbouring lanes of a warp, a power of two of them.
struct WarpTeam {
  int rank, size;
  __device__ explicit WarpTeam(int lanes)
      : rank(static_cast<int>(threadIdx.x) % lanes), size(lanes) {}
  template <class T>
  __device__ T most(T value) const {
    return warp_fold(value, Most{}, size);
  }
  template <class T>
  __device__ double sum(T value) const {
    return warp_fold(value, Plus{}, size);
  }
  __device__ void wait() const { __syncwarp(); }
};

struct BlockTeam {
  static constexpr int size = kThreads;
  int rank = static_cast<int>(threadIdx.x);
  template <class T>
  __device__ T most(T value) const {
    return block_fold<T>(value, Most{});
  }
  template <class T>
  __device__ double sum(T value) const {
    return block_fold<double>(value, Plus{});
  }
  __device__ void wait() const { __syncthreads(); }
};

}  // namespace proxstep::cuda
