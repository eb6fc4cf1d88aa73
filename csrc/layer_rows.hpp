// What the layers of a language model are given, whatever runs them: arrays in C order, N rows of C
// channels, T positions a sequence. Input is checked by the caller.
#pragma once
#include <cstdint>

namespace proxstep {

// x += branch, which may be null; y = gain unit with unit = (x - mean) scale.
template <class T>
struct NormRows {
  std::int64_t rows, channels;
  T* x;
  const T* branch;
  const T* gain;
  T* unit;
  T* scale;  // one a row: 1 / sqrt(variance + kNormEpsilon)
  T* y;
};

// dgain is written, dx is added to.
template <class T>
struct NormGradient {
  std::int64_t rows, channels;
  const T* dy;
  const T* gain;
  const T* unit;
  const T* scale;
  T* dgain;
  T* dx;
};

// Fused rows (q, k, v), each of `heads` times `width` channels. Of each query row, in the order
// (batch, heads, time), the largest score and one over the sum of the exponentials are kept.
template <class T>
struct AttentionJob {
  std::int64_t batch, heads, time, width;
  const T* qkv;
  T* peak;
  T* inverse;
  T* o;          // forward writes it, backward may read it
  const T* d_o;  // the gradient of o; backward reads it and writes d_qkv
  T* d_qkv;
  T* scratch;
};

}  // namespace proxstep
