// The table of decoding loops that every instruction set fills in. Each sum has an order of its
// own, so that the bits depend neither on the instruction set nor on how rows are shared out.
#pragma once
#include "../decode.hpp"

namespace proxstep::cpu {

template <class T>
struct DecodeKernels {
  void (*dense)(const RowProduct<T>&, std::int64_t row, std::int64_t end);
  void (*sparse)(const RowProduct<T>&, std::int64_t group, std::int64_t end);
  void (*norm)(const T* x, const T* gain, std::int64_t n, T* y);
  void (*attend)(const HeadAttention<T>&);
  void (*gelu_erf)(T* x, std::int64_t n);
  void (*normal_cdf)(const T* x, std::int64_t n, T* y);
};

struct DecodeTable {
  DecodeKernels<float> f32;
  DecodeKernels<double> f64;
};

}  // namespace proxstep::cpu
