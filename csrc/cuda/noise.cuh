// Random bits of the elements of an array: those of the CPU, and stored by them what a mixed layout
// rounds stochastically.
#pragma once
#include "place.cuh"

namespace proxstep::cuda {

// Keys are made once; elements whose upper 32 bits of the index differ, which only a group can
// hold, have others.
struct Noise {
  op::RandomStream stream;
  unsigned int upper;
  op::RandomKey keys[2];  // by their purpose

  __device__ unsigned int bits(op::Purpose purpose, long long i) const {
    const bool known = static_cast<unsigned int>(i >> 32) == upper;
    const op::RandomKey key =
        known ? keys[static_cast<int>(purpose)] : op::random_key(stream, purpose, i);
    return *op::RandomBits(key, static_cast<unsigned int>(i));
  }
};

// Of an array whose elements from `first` on are stepped.
template <class S, class Run>
__device__ __forceinline__ Noise noise_of(const Run& run, long long first) {
  Noise noise = {};
  if constexpr (LayoutOf<S>::is_mixed) {
    const RuleSettings<op::compute_t<S>>& how = run.settings;
    noise.stream = how.random;
    noise.stream.array = run.array.number;
    if (how.steps) noise.stream.step = *how.steps + 1;
    noise.upper = static_cast<unsigned int>(first >> 32);
    const auto key = [&](op::Purpose purpose) {
      noise.keys[static_cast<int>(purpose)] = op::random_key(noise.stream, purpose, first);
    };
    if (how.stochastic) key(op::Purpose::parameter);
    if (how.narrow[0]) key(op::Purpose::moments);
  }
  return noise;
}

__device__ __forceinline__ void round_to(float& to, float v, unsigned int) { to = v; }
__device__ __forceinline__ void round_to(op::bfloat16& to, float v, unsigned int bits) {
  to = op::round_bfloat16(v, bits);
}
__device__ __forceinline__ void round_to(op::float16& to, float v, unsigned int bits) {
  to = op::round_float16(v, bits);
}

template <class X, int n>
__device__ __forceinline__ void round_pack(const Noise& noise, const Place& at,
                                           const Pack<float, n>& from, Pack<X, n>& to) {
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const long long i = at.first + j * at.stride;
    round_to(to.at[j], from.at[j], noise.bits(op::Purpose::parameter, i));
  }
}

// count moments, which share the words of random bits.
template <int n, int slots>
__device__ __forceinline__ void scatter_rounded(const Noise& noise, const Place& at,
                                                const Pack<float, n> (&from)[slots],
                                                float* const (&to)[slots], int count) {
  Pack<op::bfloat16, n> rounded[slots];
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const unsigned int bits = noise.bits(op::Purpose::moments, at.first + j * at.stride);
#pragma unroll
    for (int k = 0; k < slots; ++k) {
      op::store_moment(&rounded[k].at[j], from[k].at[j], bits, k);
    }
  }
#pragma unroll
  for (int k = 0; k < slots; ++k) {
    if (k < count) scatter(rounded[k], reinterpret_cast<op::bfloat16*>(to[k]), at);
  }
}

}  // namespace proxstep::cuda
