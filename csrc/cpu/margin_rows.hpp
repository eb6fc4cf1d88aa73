// The loop of the losses of one margin a row: any of op::Losses, with what is wanted of it.
#pragma once
#include "lanes.hpp"
#include "loss_kernels.hpp"

namespace proxstep::cpu {
namespace {

enum class Wanted { value, slope, bend };  // each with those before it

// One row's loss; its gradient is stored, and may take the margin's place.
template <bool weighted, Wanted wanted, class Loss, class T>
PROXSTEP_FN double margin_row(const MarginRows<T>& job, const Loss& loss, T scale, std::int64_t i) {
  const op::LossPoint<T> at = loss.at(job.margin[i], job.targets[i]);
  const T weight = weighted ? job.weights[i] : T(1);
  const bool absent = weighted && weight == T(0);
  if (wanted != Wanted::value) job.grad[i] = absent ? T(0) : scale * weight * at.slope;
  if (wanted == Wanted::bend) job.bend[i] = absent ? T(0) : scale * weight * at.bend;
  return absent ? 0.0 : double(weight) * double(at.value);
}

template <bool weighted, Wanted wanted, class Loss, class T>
double margin_rows(const MarginRows<T>& job, std::int64_t begin, std::int64_t end) {
  const Loss loss(job.settings);
  const T scale = T(job.scale);
  double losses[kLanes] = {};
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
#pragma GCC ivdep
    for (int k = 0; k < kLanes; ++k) {
      losses[k] += margin_row<weighted, wanted>(job, loss, scale, i + k);
    }
  }
  for (int k = 0; i < end; ++i, ++k) {
    losses[k] += margin_row<weighted, wanted>(job, loss, scale, i);
  }
  return fold_lanes(losses);
}

template <bool weighted, class Loss, class T>
double margin_rows(const MarginRows<T>& job, std::int64_t begin, std::int64_t end) {
  if (job.bend) return margin_rows<weighted, Wanted::bend, Loss>(job, begin, end);
  if (job.grad) return margin_rows<weighted, Wanted::slope, Loss>(job, begin, end);
  return margin_rows<weighted, Wanted::value, Loss>(job, begin, end);
}

template <class Loss, class T>
double margin_loss(const MarginRows<T>& job, std::int64_t begin, std::int64_t end) {
  return job.weights ? margin_rows<true, Loss>(job, begin, end)
                     : margin_rows<false, Loss>(job, begin, end);
}

}  // namespace
}  // namespace proxstep::cpu
