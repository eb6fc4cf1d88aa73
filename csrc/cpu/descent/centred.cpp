#include "centred.hpp"

#include <algorithm>
#include <cmath>

#include "../kernels.hpp"
#include "gram.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kLine = 8;  // samples that the Gram matrix takes at once

int64_t round_up(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

double dot(const double* a, const double* b, int64_t n) {
  return tables().descent->dense[0].dot({a, nullptr, n}, b);
}

// A line of samples at once, so that X is read along its rows or columns, and written in lines.
template <class T>
void widen(const Array& X, double* to, int64_t rows) {
  const T* from = static_cast<const T*>(X.data);
  const int64_t n = X.shape[0], p = X.shape[1], down = X.strides[0], across = X.strides[1];
  for (int64_t begin = 0; begin < n; begin += kLine) {
    const int64_t end = std::min(n, begin + kLine);
    for (int64_t j = 0; j < p; ++j) {
      for (int64_t i = begin; i < end; ++i) to[j * rows + i] = double(from[i * down + j * across]);
    }
  }
}

}  // namespace

SampleShares::SampleShares(const double* given, int64_t count, bool fit_intercept)
    : n(count), rows(round_up(count, kLine)), intercept(fit_intercept) {
  given ? shares.assign(given, given + n) : shares.assign(n, 1.0 / double(n));
  for (const double share : shares) roots.push_back(std::sqrt(share));
}

double SampleShares::centre(double* values) const {
  const double mean = intercept ? dot(values, shares.data(), n) : 0.0;
  const double* root = roots.data();
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) values[i] = root[i] * (values[i] - mean);
  return mean;
}

Centred::Centred(const SampleShares& samples, int64_t p)
    : samples_(samples),
      rows_(samples.rows),
      p_(p),
      count_(round_up(p, kGramBlock)),
      values_(rows_ * count_),
      means_(p),
      gram_(count_ * count_) {}

void Centred::take(const Array& X) {
  X.dtype == DType::float64 ? widen<double>(X, values_.data(), rows_)
                            : widen<float>(X, values_.data(), rows_);
  for (int64_t j = 0; j < p_; ++j) means_[j] = samples_.centre(values_.data() + j * rows_);
  fill_gram();
  still_constants();
}

void Centred::fill_gram() {
  std::fill(gram_.begin(), gram_.end(), 0.0);
  const auto block = tables().descent->gram;
  for (int64_t j = 0; j < count_; j += kGramBlock) {
    for (int64_t k = 0; k <= j; k += kGramBlock) {
      block(values_.data() + j * rows_, values_.data() + k * rows_, rows_,
            gram_.data() + j * count_ + k, count_);
    }
  }
  for (int64_t j = 0; j < count_; ++j) {
    for (int64_t k = j + 1; k < count_; ++k) gram_[j * count_ + k] = gram_[k * count_ + j];
  }
}

// Of a curvature 0 a column does not move.
void Centred::still_constants() {
  for (int64_t j = 0; j < p_; ++j) {
    double& square = gram_[j * count_ + j];
    if (square <= kConstant * (square + means_[j] * means_[j])) square = 0.0;
  }
}

double Centred::largest() const {
  double largest = 0.0;
  for (int64_t j = 0; j < p_; ++j) {
    const double square = gram_[j * count_ + j];
    if (!(square <= largest)) largest = square;  // what is not finite stays
  }
  return largest;
}

std::vector<double> Centred::adjoint(const double* y) const {
  std::vector<double> product(count_);
  for (int64_t j = 0; j < p_; ++j) product[j] = dot(values_.data() + j * rows_, y, rows_);
  return product;
}

}  // namespace proxstep::cpu
