#include "row_model.hpp"

#include <algorithm>

#include "../kernels.hpp"
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

double RowModel::evaluate(const double* margins, bool take) {
  const int64_t n = descent_.X.n;
  double value = 0.0;
  if (descent_.softmax) {
    SoftmaxRows<double> job{};
    job.classes = outputs();
    job.logits = margins;
    job.labels64 = descent_.labels;
    job.probabilities = descent_.targets;
    job.grad = take ? gradients_.data() : nullptr;
    job.weights = shares_.data();
    job.scale = 1.0;
    value = softmax_cross_entropy(job, n);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t e = i * outputs(); e < (i + 1) * outputs(); ++e) {
        const double error = margins[e] - descent_.targets[e], r = shares_[i] * error;
        value += 0.5 * error * r;
        if (take) gradients_[e] = r;
      }
    }
  }
  if (!take) return value;
  parallel_for(descent_.softmax ? n : 0, kSamplesAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) find_probabilities(i);
  });
  take_derivatives();
  if (descent_.means) find_intercept_hessian();
  return value;
}

void RowModel::find_probabilities(int64_t i) {
  const int64_t k = outputs();
  const double share = shares_[i], *g = gradients_.data() + i * k;
  double* p = &p_[i * width_];
  for (int64_t c = 0; c < k; ++c) {
    const double target =
        descent_.labels ? double(descent_.labels[i] == c) : descent_.targets[i * k + c];
    p[c] = share > 0.0 ? std::min(1.0, std::max(0.0, g[c] / share + target)) : 0.0;
  }
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
  std::vector<double> H(k * k, descent_.softmax ? 1.0 / double(k) : 0.0);
  for (int64_t i = 0; i < descent_.X.n; ++i) {
    const double* p = descent_.softmax ? &p_[i * width_] : nullptr;
    for (int64_t a = 0; a < k; ++a) {
      H[a * k + a] += shares_[i] * (p ? p[a] + kRidge : 1.0);
      for (int64_t b = 0; p && b <= a; ++b) H[a * k + b] -= shares_[i] * p[a] * p[b];
    }
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
  double total = 0.0;
  for (std::size_t e = 0; e < change.size(); ++e) total += gradients_[e] * change[e];
  return total;
}

}  // namespace proxstep::cpu
