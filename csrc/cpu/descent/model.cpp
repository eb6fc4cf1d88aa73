#include "model.hpp"

#include "../kernels.hpp"
#include "../pool.hpp"
#include "gram.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kColumnsAtOnce = 16;  // of the pool
constexpr double kConstant = 0x1p-44;   // a centred curvature below this share is rounding

}  // namespace

Curvature::Curvature(const Columns& columns, const Bend& bend)
    : first_(columns.count()), curvature_(columns.count()) {
  parallel_for(columns.count(), kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t k = begin; k < end; ++k) {
      const Moments found = columns.loops().moments(columns[k], bend.bend.data());
      first_[k] = found.first;
      const bool centred = bend.intercept && bend.bend_sum > 0.0;
      const double mean = centred ? found.first * (found.first / bend.bend_sum) : 0.0;
      const double left = found.second - mean;
      curvature_[k] = left > kConstant * found.second ? left : 0.0;
    }
  });
}

ColumnModel::ColumnModel(const Columns& columns, const Bend& bend, const Curvature& curvature)
    : columns_(columns), bend_(bend), curvature_(curvature), residual_(bend.slope) {
  shift_ = bend.shift(0.0);
  settle();
}

void ColumnModel::change(int64_t k, double d) {
  if (bend_.flat) {
    columns_.loops().add(columns_[k], d * bend_.bend[0], residual_.data());
  } else {
    columns_.loops().add_bent(columns_[k], d, bend_.bend.data(), residual_.data());
  }
  if (bend_.intercept && bend_.bend_sum > 0.0) {
    shift_ -= d * (curvature_.first(k) / bend_.bend_sum);
  }
}

double ColumnModel::hessian(int64_t j, int64_t k) const {
  const double product = columns_.loops().product(columns_[j], columns_[k], bend_.bend.data());
  const bool centred = bend_.intercept && bend_.bend_sum > 0.0;
  return product - (centred ? curvature_.first(j) * (curvature_.first(k) / bend_.bend_sum) : 0.0);
}

void ColumnModel::save() { saved_ = residual_; }

void ColumnModel::restore() {
  residual_ = saved_;
  shift_ = 0.0;
}

// With both states settled: the sum of (R^2 - S^2) / (2 h).
double ColumnModel::rise(const std::vector<double>&) const {
  double total = 0.0;
  for (std::size_t i = 0; i < residual_.size(); ++i) {
    const double h = bend_.bend[i];
    const double change = residual_[i] - saved_[i];
    total += h > 0.0 ? change * (residual_[i] + saved_[i]) / h : 0.0;
  }
  return 0.5 * total;
}

void ColumnModel::settle() {
  if (shift_ == 0.0) return;
  for (std::size_t i = 0; i < residual_.size(); ++i) residual_[i] += shift_ * bend_.bend[i];
  shift_ = 0.0;
}

GramModel::GramModel(const Columns& columns, const Bend& bend, const Curvature& curvature)
    : curvature_(curvature), count_(columns.count()), gradient_(columns.count()) {
  gram_ = gram_matrix(columns, bend);
  const double shift = bend.shift(0.0);
  const bool centred = bend.intercept && bend.bend_sum > 0.0;
  parallel_for(count_, kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t k = begin; k < end; ++k) {
      const double first = curvature.first(k);
      gradient_[k] = columns.loops().dot(columns[k], bend.slope.data()) + shift * first;
      const double mean = centred ? first / bend.bend_sum : 0.0;
      for (int64_t j = 0; j < count_; ++j) gram_[k * count_ + j] -= mean * curvature.first(j);
    }
  });
}

void GramModel::change(int64_t k, double d) {
  const double* row = gram_.data() + k * count_;
  double* gradient = gradient_.data();
#pragma GCC ivdep
  for (int64_t j = 0; j < count_; ++j) gradient[j] += d * row[j];
}

double GramModel::rise(const std::vector<double>& changes) const {
  double total = 0.0;
  for (std::size_t k = 0; k < changes.size(); ++k) total += changes[k] * (gradient_[k] + saved_[k]);
  return 0.5 * total;
}

}  // namespace proxstep::cpu
