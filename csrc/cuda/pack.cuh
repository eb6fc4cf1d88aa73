// A few elements at once: 16-byte loads and stores where memory is aligned, else one by one.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

template <class T, int n>
struct Pack {
  T at[n];
};

// count <= n elements; whole: all n of them, in aligned memory.
template <class T, int n>
__device__ void load(Pack<T, n>& to, const T* from, int count, bool whole) {
  static_assert(sizeof to % sizeof(uint4) == 0, "whole instructions");
  constexpr int instructions = sizeof to / sizeof(uint4);
  if (whole) {
    uint4 words[instructions];
#pragma unroll
    for (int k = 0; k < instructions; ++k) words[k] = reinterpret_cast<const uint4*>(from)[k];
    memcpy(&to, words, sizeof to);
  } else {
#pragma unroll
    for (int j = 0; j < n; ++j) to.at[j] = j < count ? from[j] : T{};
  }
}
// The intrinsic keeps the compiler from splitting the wide store to share it with the narrow ones.
template <class T, int n>
__device__ void store(const Pack<T, n>& from, T* to, int count, bool whole) {
  constexpr int instructions = sizeof from / sizeof(uint4);
  if (whole) {
    uint4 words[instructions];
    memcpy(words, &from, sizeof from);
#pragma unroll
    for (int k = 0; k < instructions; ++k) __stcg(reinterpret_cast<uint4*>(to) + k, words[k]);
  } else {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      if (j < count) to[j] = from.at[j];
    }
  }
}

__device__ inline bool is_aligned(const void* p) {
  return (reinterpret_cast<unsigned long long>(p) & (sizeof(uint4) - 1)) == 0;
}

}  // namespace proxstep::cuda
