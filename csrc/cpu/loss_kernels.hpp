// The table of loss loops that every instruction set fills in.
#pragma once
#include "../loss_rows.hpp"
#include "../op/loss.hpp"

namespace proxstep::cpu {

// Each returns the weighted sum of its rows' losses, before scale; grad and bend include scale.
template <class T>
struct LossKernels {
  double (*softmax)(const SoftmaxRows<T>&, std::int64_t begin, std::int64_t end);
  double (*margin[op::Losses::size])(const MarginRows<T>&, std::int64_t begin, std::int64_t end);
};

struct LossTable {
  LossKernels<float> f32;
  LossKernels<double> f64;
};

}  // namespace proxstep::cpu
