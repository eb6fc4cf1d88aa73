// A few elements that lie anywhere, at a constant distance from one to the next.
#pragma once
#include "../op/scalar.hpp"
#include "pack.cuh"

namespace proxstep::cuda {

// Elements first + j * stride for span.begin <= j < span.end; whole: a pack in aligned memory.
struct Place {
  long long first, stride;
  Span span;
  bool whole;
};

// The thread's pack of those from `first` on, neighbours in neighbouring lanes. It may be empty:
// all lanes of a warp take part in what follows.
template <class S>
__device__ Place own_place(long long first, long long end, bool aligned) {
  constexpr int n = kRulePack<S>;
  const long long i = first + threadIdx.x * n;
  const int count = static_cast<int>(op::most(op::least<long long>(n, end - i), 0ll));
  return {i, 1, {0, count}, aligned && count == n};
}

// The thread's packs of a block that takes `chunk` elements of its array.
template <class S, class AnyShare, class Visit>
__device__ __forceinline__ void each_place(const AnyShare& share, long long chunk,
                                           const Visit& visit) {
  const bool aligned = is_aligned(share.array);
  const long long begin = share.block * chunk;
  const long long end = op::least(begin + chunk, share.array.n);
  for (long long first = begin; first < end; first += kThreads * kRulePack<S>) {
    visit(own_place<S>(first, end, aligned));
  }
}

template <class T, int n>
__device__ __forceinline__ void gather(Pack<T, n>& to, const T* from, const Place& at) {
  if (at.whole) return load(to, from + at.first, n, true);
#pragma unroll
  for (int j = 0; j < n; ++j) {
    to.at[j] = at.span.holds(j) ? from[at.first + j * at.stride] : T{};
  }
}
template <class T, int n>
__device__ __forceinline__ void scatter(const Pack<T, n>& from, T* to, const Place& at) {
  if (at.whole) return store(from, to + at.first, n, true);
#pragma unroll
  for (int j = 0; j < n; ++j) {
    if (at.span.holds(j)) to[at.first + j * at.stride] = from.at[j];
  }
}

template <class C, int n>
__device__ __forceinline__ void gather_weights(Pack<C, n>& to, const C* from, const Place& at) {
#pragma unroll
  for (int j = 0; j < n; ++j) to.at[j] = C(1);
  if (from) gather(to, from, at);
}

}  // namespace proxstep::cuda
