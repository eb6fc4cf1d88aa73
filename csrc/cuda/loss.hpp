// The losses on a device: rows become launches on the caller's stream. Input is checked by the
// caller, all but labels, which only the device can read.
#pragma once
#include "../loss_rows.hpp"
#include "launch.hpp"

namespace proxstep::cuda {

// bad_row: the first whose label is not one of 0..classes-1, -1 if there is none. Then nothing was
// written, and there is no value.
struct SoftmaxResult {
  double value;
  std::int64_t bad_row, bad_label;
};

// Both wait for the device.
template <class T>
SoftmaxResult softmax_cross_entropy(Backend& backend, Stream stream, const SoftmaxRows<T>& job,
                                    std::int64_t rows);
template <class T>
double logistic_loss(Backend& backend, Stream stream, const LogisticRows<T>& job,
                     std::int64_t rows);

// The gradients alone: neither waits. Labels are not checked; a bad one is no class's.
template <class T>
void softmax_gradient(Backend& backend, Stream stream, const SoftmaxRows<T>& job,
                      std::int64_t rows);
template <class T>
void logistic_gradient(Backend& backend, Stream stream, const LogisticRows<T>& job,
                       std::int64_t rows);

}  // namespace proxstep::cuda
