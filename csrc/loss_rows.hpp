// What the losses are given, whatever runs them. Input is checked by the caller.
#pragma once
#include <cstdint>

namespace proxstep {

// Targets are one of labels32, labels64 (one label a row) and probabilities (rows x classes).
// grad and weights (one a row) may be null; grad may be logits. A row of weight 0 is not read.
template <class T>
struct SoftmaxRows {
  std::int64_t classes;
  const T* logits;
  const std::int32_t* labels32;
  const std::int64_t* labels64;
  const T* probabilities;
  T* grad;
  const T* weights;
  double scale;
};

// One margin and one target a row. grad may be margin.
template <class T>
struct LogisticRows {
  const T* margin;
  const T* targets;
  T* grad;
  const T* weights;
  double scale;
};

// The same of any loss in op::Losses. bend, which may be null, needs grad beside it.
template <class T>
struct MarginRows : LogisticRows<T> {
  T* bend = nullptr;
  const double* settings = nullptr;
};

}  // namespace proxstep
