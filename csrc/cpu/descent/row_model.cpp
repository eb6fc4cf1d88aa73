#include "row_model.hpp"

#include <algorithm>

#include "../kernels.hpp"
#include "../lanes.hpp"
#include "../loss.hpp"
#include "../pool.hpp"
#include "cholesky.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

std::vector<double> shares_of(const RowsDescent& descent) {
  const int64_t n = descent.X.n;
  if (descent.shares) return {descent.shares, descent.shares + n};
  return std::vector<double>(n, 1.0 / double(n));
}

}  // namespace

RowModel::RowModel(const RowsDescent& descent)
    : descent_(descent),
      columns_(descent.X, {descent.rows, descent.rows + descent.count}),
      width_((descent.outputs + kPad - 1) / kPad * kPad),
      shares_(shares_of(descent)),
      gradients_(descent.X.n * descent.outputs),
      p_(descent.softmax ? descent.X.n * width_ : 0) {}

double RowModel::evaluate(const double* margins) {
  const int64_t n = descent_.X.n;
  double value = 0.0;
  if (descent_.softmax) {
    SoftmaxRows<double> job{};
    job.classes = outputs();
    job.logits = margins;
    job.labels64 = descent_.labels;
    job.probabilities = descent_.targets;
    job.grad = gradients_.data();
    job.weights = shares_.data();
    job.scale = 1.0;
    value = softmax_cross_entropy(job, n);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t e = i * outputs(); e < (i + 1) * outputs(); ++e) {
        const double error = margins[e] - descent_.targets[e], r = shares_[i] * error;
        value += 0.5 * error * r;
        gradients_[e] = r;
      }
    }
  }
  return value;
}

void RowModel::take() {
  const int64_t n = descent_.softmax ? descent_.X.n : 0;
  parallel_for(n, kSamplesAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) find_probabilities(i);
  });
  take_derivatives();
  if (descent_.means) find_intercept_hessian();
}

void RowModel::find_probabilities(int64_t i) {
  const int64_t k = outputs();
  const double share = shares_[i], *g = gradients_.data() + i * k;
  double* p = &p_[i * width_];
  if (!(share > 0.0)) {
    std::fill_n(p, k, 0.0);
    return;
  }
  for (int64_t c = 0; c < k; ++c) p[c] = g[c] / share;
  if (descent_.labels) p[descent_.labels[i]] += 1.0;
  for (int64_t c = 0; !descent_.labels && c < k; ++c) p[c] += descent_.targets[i * k + c];
  for (int64_t c = 0; c < k; ++c) p[c] = std::min(1.0, std::max(0.0, p[c]));
}

// diag(p) - p p' is below diag(p), and, by diagonal dominance, below 2 diag(p (1 - p)): the first
// is the smaller bound while no class has most of the probability (Boehning 1992 has one for all).
void RowModel::find_bend(int64_t i, double* bend) const {
  const int64_t k = outputs();
  if (!descent_.softmax) {
    std::fill_n(bend, k, shares_[i]);
    return;
  }
  const double* p = &p_[i * width_];
  const bool sure = *std::max_element(p, p + k) > 0.5;
  for (int64_t c = 0; c < k; ++c) {
    bend[c] = shares_[i] * ((sure ? 2.0 * p[c] * (1.0 - p[c]) : p[c]) + kRidge);
  }
}

// H itself is blind to a shift of all outputs; with 1 1' / k it is not.
void RowModel::find_intercept_hessian() {
  const int64_t k = outputs();
  std::vector<double> H(k * k), diagonal(width_, 1.0), squares(width_ * width_);
  if (descent_.softmax) {
    const SampleRows at{width_, shares_.data(), p_.data(), kRidge, nullptr};
    tables().row->bend(at, descent_.X.n, diagonal.data(), squares.data());
  }
  for (int64_t a = 0; a < k; ++a) {
    for (int64_t b = 0; descent_.softmax && b <= a; ++b) {
      H[a * k + b] = 1.0 / double(k) - squares[a * width_ + b];
    }
    H[a * k + a] += diagonal[a];
  }
  factorise(H, k);
  intercept_factor_ = std::move(H);
}

void RowModel::settle(double* b) {
  if (!descent_.means) return;
  std::vector<double> d(width_);
  add_up(d.data());
  solve_factorised(intercept_factor_, outputs(), d.data());
  for (double& value : d) value = -value;
  shift(d.data());
  for (int64_t c = 0; c < outputs(); ++c) b[c] += d[c];
}

std::vector<double> RowModel::margins_change(const std::vector<double>& changes,
                                             const double* b) const {
  const int64_t k = outputs();
  std::vector<double> to(descent_.X.n * k);
  multiply(changes.data(), to.data());
  for (int64_t i = 0; i < descent_.X.n; ++i) {
    for (int64_t c = 0; c < k; ++c) to[i * k + c] += b[c];
  }
  return to;
}

double RowModel::slope(const std::vector<double>& change) const {
  return lane_sum(static_cast<int64_t>(change.size()),
                  [&](int64_t e) { return gradients_[e] * change[e]; });
}

}  // namespace proxstep::cpu
