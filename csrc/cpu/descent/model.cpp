#include "model.hpp"

#include <utility>

#include "../kernels.hpp"
#include "../pool.hpp"
#include "gram.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kColumnsAtOnce = 16;  // of the pool

}  // namespace

Curvature::Curvature(const Columns& columns, const Bend& bend)
    : first_(columns.count()), curvature_(columns.count()) {
  parallel_for(columns.count(), kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t k = begin; k < end; ++k) {
      const Moments found = columns.loops().moments(columns[k], bend.bend.data());
      first_[k] = found.first;
      const double left = found.second - found.first * bend.mean(found.first);
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
  shift_ -= d * bend_.mean(curvature_.first(k));
}

void ColumnModel::gradients(int64_t first, int64_t count, double* to) const {
  columns_.loops().dots(&columns_[first], count, residual_.data(), to);
  for (int64_t k = 0; k < count; ++k) to[k] += shift_ * curvature_.first(first + k);
}

void ColumnModel::change_all(int64_t first, int64_t count, const double* d) {
  if (!bend_.flat) {
    for (int64_t k = 0; k < count; ++k) {
      if (d[k] != 0.0) change(first + k, d[k]);
    }
    return;
  }
  std::vector<double> scaled(d, d + count);
  for (double& value : scaled) value *= bend_.bend[0];
  columns_.loops().add_all(&columns_[first], count, scaled.data(), residual_.data());
  for (int64_t k = 0; k < count; ++k) shift_ -= d[k] * bend_.mean(curvature_.first(first + k));
}

double ColumnModel::hessian(int64_t j, int64_t k) const {
  const double product = columns_.loops().product(columns_[j], columns_[k], bend_.bend.data());
  return product - curvature_.first(j) * bend_.mean(curvature_.first(k));
}

void ColumnModel::hessians(int64_t j, int64_t first, double* to) const {
  const int64_t count = j + 1 - first;
  if (columns_.sparse()) {
    for (int64_t k = 0; k < count; ++k) to[k] = hessian(j, first + k);
    return;
  }
  std::vector<double> bent(columns_.samples(), 0.0);
  columns_.loops().add_bent(columns_[j], 1.0, bend_.bend.data(), bent.data());
  columns_.loops().dots(&columns_[first], count, bent.data(), to);
  const double mean = bend_.mean(curvature_.first(j));
  for (int64_t k = 0; k < count; ++k) to[k] -= mean * curvature_.first(first + k);
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

GramModel::GramModel(const double* gram, std::vector<double> gradient)
    : count_(static_cast<int64_t>(gradient.size())), gram_(gram), gradient_(std::move(gradient)) {}

GramModel::GramModel(std::vector<double> gram, std::vector<double> gradient)
    : GramModel(gram.data(), std::move(gradient)) {
  owned_ = std::move(gram);  // stays where it is
}

void GramModel::change(int64_t k, double d) {
  tables().descent->dense[0].add({gram_ + k * count_, nullptr, count_}, d, gradient_.data());
}

void GramModel::change_all(int64_t first, int64_t count, const double* d) {
  for (int64_t k = 0; k < count; ++k) {
    if (d[k] != 0.0) change(first + k, d[k]);
  }
}

double GramModel::rise(const std::vector<double>& changes) const {
  double total = 0.0;
  for (std::size_t k = 0; k < changes.size(); ++k) total += changes[k] * (gradient_[k] + saved_[k]);
  return 0.5 * total;
}

GramModel gram_model(const Columns& columns, const GramRows& rows, const Bend& bend,
                     const Curvature& curvature) {
  std::vector<double> gram = rows.from(0, bend.bend.data());
  std::vector<double> gradient(columns.count());
  const double shift = bend.shift(0.0);
  const int64_t count = columns.count();
  parallel_for(count, kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t k = begin; k < end; ++k) {
      const double first = curvature.first(k), mean = bend.mean(first);
      gradient[k] = columns.loops().dot(columns[k], bend.slope.data()) + shift * first;
      for (int64_t j = 0; j < count; ++j) gram[k * count + j] -= mean * curvature.first(j);
      gram[k * count + k] = curvature(k);
    }
  });
  return {std::move(gram), std::move(gradient)};
}

}  // namespace proxstep::cpu
