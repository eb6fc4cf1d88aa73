// The part of Epochs that moves blocks of several elements.
#pragma once
#include "epochs.hpp"

namespace proxstep::cpu {

template <class Model>
void Epochs<Model>::find_block_bounds() {
  for (std::int64_t b = 0; b < blocks_.count(); ++b) {
    const std::int64_t n = blocks_.size(b), first = blocks_.begin(b);
    places_.push_back(hessians_.size());
    hessians_.resize(hessians_.size() + n * n);
    double* hessian = hessians_.data() + places_.back();
    for (std::int64_t i = 0; i < n; ++i) {
      model_.hessians(first + i, first, hessian + i * n);
      for (std::int64_t j = 0; j < i; ++j) hessian[j * n + i] = hessian[i * n + j];
    }
    double bound = 0.0;  // the largest sum of a row bounds all eigenvalues
    for (std::int64_t i = 0; i < n; ++i) {
      double row = 0.0;
      for (std::int64_t j = 0; j < n; ++j) row += std::abs(hessian[i * n + j]);
      bound = std::max(bound, row);
    }
    bounds_.push_back(bound);
  }
}

template <class Model>
void Epochs<Model>::move_block(std::int64_t b) {
  constexpr int kSteps = 20;
  const std::int64_t n = blocks_.size(b), first = blocks_.begin(b);
  const double bound = bounds_[b];
  if (!usable(1.0 / bound)) return;
  gradient_.resize(n), target_.resize(n);
  model_.gradients(first, n, gradient_.data());
  point_.assign(x_.begin() + first, x_.begin() + first + n);
  const double* hessian = hessians_.data() + places_[b];
  double start = 0.0;
  for (int step = 0; step < kSteps; ++step) {
    for (std::int64_t i = 0; i < n; ++i) target_[i] = point_[i] - gradient_[i] / bound;
    blocks_.prox_block(b, target_.data(), 1.0 / bound);
    double length = 0.0;
    for (std::int64_t j = 0; j < n; ++j) {
      const double d = target_[j] - point_[j];
      length += d * d;
      if (d == 0.0) continue;
      for (std::int64_t i = 0; i < n; ++i) gradient_[i] += d * hessian[j * n + i];
    }
    point_ = target_;
    if (step == 0) start = length;
    if (length <= 0.01 * start) break;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    target_[i] = point_[i] - x_[first + i];
    note(point_[i], target_[i], bound);
    x_[first + i] = point_[i];
  }
  const auto moves = [](double d) { return d != 0.0; };
  if (std::any_of(target_.begin(), target_.end(), moves)) {
    model_.change_all(first, n, target_.data());
  }
}

}  // namespace proxstep::cpu
