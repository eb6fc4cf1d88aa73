// Layer norm: rows stay in the cache between their passes, and the residual is added on the way.
#pragma once
#include "../../op/norm.hpp"
#include "../lanes.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

template <class T>
void norm(const NormRows<T>& job) {
  const int64_t n = job.channels;
  for (int64_t row = 0; row < job.rows; ++row) {
    T *const x = job.x + row * n, *const unit = job.unit + row * n, *const y = job.y + row * n;
    if (const T* branch = job.branch ? job.branch + row * n : nullptr) {
      for (int64_t c = 0; c < n; ++c) x[c] += branch[c];
    }
    const T mean = lane_sum<T>(n, [=](int64_t c) { return x[c]; }) / T(n);
    const T squares = lane_sum<T>(n, [=](int64_t c) { return (x[c] - mean) * (x[c] - mean); });
    const T scale = op::norm_scale(squares / T(n));
    job.scale[row] = scale;
#pragma GCC ivdep
    for (int64_t c = 0; c < n; ++c) {
      const T u = (x[c] - mean) * scale;
      unit[c] = u;
      y[c] = u * job.gain[c];
    }
  }
}

template <class T>
void norm_gradient(const NormGradient<T>& job) {
  const int64_t n = job.channels;
  const T* const gain = job.gain;
  for (int64_t c = 0; c < n; ++c) job.dgain[c] = T(0);
  for (int64_t row = 0; row < job.rows; ++row) {
    const T *const dy = job.dy + row * n, *const unit = job.unit + row * n;
    T* const dx = job.dx + row * n;
    const T mean = lane_sum<T>(n, [=](int64_t c) { return gain[c] * dy[c]; }) / T(n);
    const T along = lane_sum<T>(n, [=](int64_t c) { return gain[c] * dy[c] * unit[c]; }) / T(n);
    const T scale = job.scale[row];
#pragma GCC ivdep
    for (int64_t c = 0; c < n; ++c) {
      job.dgain[c] += dy[c] * unit[c];
      dx[c] += op::norm_slope(gain[c] * dy[c], unit[c], scale, mean, along);
    }
  }
}

}  // namespace
}  // namespace proxstep::cpu
