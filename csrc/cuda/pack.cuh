// A few elements at once: 16-byte loads and stores where memory is aligned, else one by one.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

template <class T, int n>
struct Pack {
  T at[n];
};

// Those of a pack that count.
struct Span {
  int begin, end;
  __device__ bool holds(int j) const { return begin <= j && j < end; }
};

// What one instruction moves of a pack.
template <int bytes>
struct WordOf {
  using type = uint4;
};
template <>
struct WordOf<8> {
  using type = uint2;
};

// count <= n elements; whole: all n of them, in aligned memory.
template <class T, int n>
__device__ void load(Pack<T, n>& to, const T* from, int count, bool whole) {
  using Word = typename WordOf<sizeof to>::type;
  static_assert(sizeof to % sizeof(Word) == 0, "whole instructions");
  constexpr int instructions = sizeof to / sizeof(Word);
  if (whole) {
    Word words[instructions];
#pragma unroll
    for (int k = 0; k < instructions; ++k) words[k] = reinterpret_cast<const Word*>(from)[k];
    memcpy(&to, words, sizeof to);
  } else {
#pragma unroll
    for (int j = 0; j < n; ++j) to.at[j] = j < count ? from[j] : T{};
  }
}
// The intrinsic keeps the compiler from splitting the wide store to share it with the narrow ones.
template <class T, int n>
__device__ void store(const Pack<T, n>& from, T* to, int count, bool whole) {
  using Word = typename WordOf<sizeof from>::type;
  constexpr int instructions = sizeof from / sizeof(Word);
  if (whole) {
    Word words[instructions];
    memcpy(words, &from, sizeof from);
#pragma unroll
    for (int k = 0; k < instructions; ++k) __stcg(reinterpret_cast<Word*>(to) + k, words[k]);
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
