// The loops of a language model's layers: one thread each, as a model and its part of a batch have
// a thread of their own.
#pragma once
#include "../../layer_rows.hpp"

namespace proxstep::cpu {

template <class T>
struct LayerKernels {
  void (*norm)(const NormRows<T>&);
  void (*norm_gradient)(const NormGradient<T>&);
  void (*gelu)(std::int64_t n, const T* x, T* y);
  void (*gelu_gradient)(std::int64_t n, const T* x, T* dy);                  // dy becomes dx
  std::int64_t (*attention_scratch)(std::int64_t time, std::int64_t width);  // elements
  void (*attention)(const AttentionJob<T>&);
  void (*attention_gradient)(const AttentionJob<T>&);
};

struct LayerTable {
  LayerKernels<float> f32;
  LayerKernels<double> f64;
};

}  // namespace proxstep::cpu
