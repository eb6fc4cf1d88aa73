#include "row_model.hpp"

#include <algorithm>
#include <cmath>

#include "../kernels.hpp"
#include "../loss.hpp"
#include "../pool.hpp"
#include "../product.hpp"
#include "cholesky.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kSamples = 1 << 10;  // of the pool
constexpr int64_t kColumnsAtOnce = 8;
constexpr double kRidge = 1e-6;  // of saturated samples, so that steps stay bounded

const RowLoops* loops_for(const Matrix& X) {
  const RowTable& table = *tables().row;
  const int narrow = X.dtype == DType::float32;
  return X.sparse() ? &table.sparse[narrow][X.index == DType::int64] : &table.dense[narrow];
}

std::vector<double> shares_of(const RowsDescent& descent) {
  const int64_t n = descent.X.n;
  if (descent.shares) return {descent.shares, descent.shares + n};
  return std::vector<double>(n, 1.0 / double(n));
}

}  // namespace

RowModel::RowModel(const RowsDescent& descent)
    : descent_(descent),
      columns_(descent.X, {descent.rows, descent.rows + descent.count}),
      loops_(loops_for(descent.X)),
      width_((descent.outputs + kPad - 1) / kPad * kPad),
      shares_(shares_of(descent)),
      ones_(descent.means ? descent.X.n : 0, 1.0),
      gradients_(descent.X.n * descent.outputs),
      residual_(descent.X.n * width_, 0.0),
      p_(descent.softmax ? residual_.size() : 0),
      bend_(residual_.size()),
      curvature_(descent.count * width_) {}

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
  if (take) take_derivatives();
  return value;
}

void RowModel::take_derivatives() {
  parallel_for(descent_.X.n, kSamples, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) take_sample(i);
  });
  find_curvatures();
  if (descent_.means) find_intercept_hessian();
}

// diag(p) - p p' is below diag(p), and, by diagonal dominance, below 2 diag(p (1 - p)): the first
// is the smaller bound while no class has most of the probability (Boehning 1992 has one for all).
void RowModel::take_sample(int64_t i) {
  const int64_t k = outputs();
  const double share = shares_[i], *g = gradients_.data() + i * k;
  double *r = &residual_[i * width_], *bend = &bend_[i * width_];
  std::copy_n(g, k, r);
  if (!descent_.softmax) {
    std::fill_n(bend, k, share);
    return;
  }
  double* p = &p_[i * width_];
  for (int64_t c = 0; c < k; ++c) {
    const double target =
        descent_.labels ? double(descent_.labels[i] == c) : descent_.targets[i * k + c];
    p[c] = share > 0.0 ? std::min(1.0, std::max(0.0, g[c] / share + target)) : 0.0;
  }
  const bool sure = *std::max_element(p, p + k) > 0.5;
  for (int64_t c = 0; c < k; ++c) {
    bend[c] = share * ((sure ? 2.0 * p[c] * (1.0 - p[c]) : p[c]) + kRidge);
  }
}

void RowModel::find_curvatures() {
  parallel_for(columns_.count(), kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t k = begin; k < end; ++k) {
      loops_->curvature(columns_[k], centre(k), width_, bend_.data(), &curvature_[k * width_]);
    }
  });
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

SampleRows RowModel::at() {
  return {width_, shares_.data(), descent_.softmax ? p_.data() : nullptr, kRidge, residual_.data()};
}

double RowModel::centre(int64_t k) const {
  return descent_.means && !columns_.sparse() ? descent_.means[descent_.rows[k]] : 0.0;
}

void RowModel::gradient(int64_t k, double* g) const {
  loops_->gradient(columns_[k], centre(k), width_, residual_.data(), g);
}

void RowModel::change(int64_t k, const double* d) {
  loops_->change(columns_[k], centre(k), at(), d);
}

void RowModel::settle(double* b) {
  if (!descent_.means) return;
  const Column ones{ones_.data(), nullptr, descent_.X.n};
  const RowLoops& dense = tables().row->dense[0];
  std::vector<double> d(width_);
  dense.gradient(ones, 0.0, width_, residual_.data(), d.data());
  solve_factorised(intercept_factor_, outputs(), d.data());
  for (double& value : d) value = -value;
  dense.change(ones, 0.0, at(), d.data());
  for (int64_t c = 0; c < outputs(); ++c) b[c] += d[c];
}

std::vector<double> RowModel::margins_change(const std::vector<double>& changes,
                                             const double* b) const {
  const int64_t k = outputs();
  std::vector<double> to(descent_.X.n * k), shift(b, b + k);
  add_product(descent_.X, {descent_.rows, descent_.count}, k, changes.data(), to.data());
  for (int64_t j = 0; j < descent_.count; ++j) {
    for (int64_t c = 0; c < k; ++c) shift[c] -= centre(j) * changes[j * k + c];
  }
  for (int64_t i = 0; i < descent_.X.n; ++i) {
    for (int64_t c = 0; c < k; ++c) to[i * k + c] += shift[c];
  }
  return to;
}

double RowModel::slope(const std::vector<double>& change) const {
  double total = 0.0;
  for (std::size_t e = 0; e < change.size(); ++e) total += gradients_[e] * change[e];
  return total;
}

void RowModel::apply(const std::vector<double>& change) {
  const RowLoops& dense = tables().row->dense[0];
  const int64_t k = outputs();
  parallel_for(descent_.X.n, kSamples, [&](int64_t begin, int64_t end, int64_t) {
    std::vector<double> d(width_);
    const double one = 1.0;
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(&change[i * k], k, d.data());
      const double* p = descent_.softmax ? &p_[i * width_] : nullptr;
      const SampleRows sample{width_, &shares_[i], p, kRidge, &residual_[i * width_]};
      dense.change({&one, nullptr, 1}, 0.0, sample, d.data());
    }
  });
}

double RowModel::rise(const std::vector<double>& change) const {
  const int64_t k = outputs();
  double total = 0.0;
  for (int64_t i = 0; i < descent_.X.n; ++i) {
    for (int64_t c = 0; c < k; ++c) {
      total += change[i * k + c] * (residual_[i * width_ + c] + saved_[i * width_ + c]);
    }
  }
  return 0.5 * total;
}

}  // namespace proxstep::cpu
