#include "centred.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../kernels.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kTileRows = 64;
constexpr int64_t kFetched = 16;  // lines of the cache, beside a block of the Gram matrix
constexpr double kTiny = std::numeric_limits<double>::min();
constexpr double kConstantY = 0x1p-96;  // share of y's mean square that is rounding
constexpr double kStill = 0x1p-92;      // the same of a column, as `Design` has it

double dot(const double* a, const double* b, int64_t n) {
  return tables().descent->dense[0].dot({a, nullptr, n}, b);
}

// All of a matrix that lies in one piece.
Ahead bytes_of(const Array* X) {
  if (!X) return {nullptr, nullptr, 0};
  const char* begin = static_cast<const char*>(X->data);
  return {begin, begin + X->size() * itemsize(X->dtype), kFetched};
}

}  // namespace

SampleShares::SampleShares(const double* given, int64_t count, bool fit_intercept)
    : n(count), intercept(fit_intercept) {
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

// An odd number of lines from row to row: blocks of columns lie all over the cache.
Tile::Tile(int64_t p)
    : width_(whole_lines(p)),
      apart_((width_ / kLine) % 2 ? width_ : width_ + kLine),
      rows_(kTileRows * apart_) {}

SmallRows Tile::widen(const Array& X, int64_t begin, const double* means, const double* factors) {
  const int64_t count = std::min(kTileRows, X.shape[0] - begin);
  const char* values = static_cast<const char*>(X.data) + begin * X.strides[0] * itemsize(X.dtype);
  const StoredSamples samples{values, count, X.shape[1], X.strides[0], X.strides[1]};
  tables().many->widen[X.dtype == DType::float32](samples, means, factors + begin, rows_.data(),
                                                  apart_);
  return {rows_.data(), count, width_, apart_};
}

Targets::Targets(const SampleShares& samples, int64_t width) : y(samples.n), c(width) {}

void Targets::take(const SampleShares& samples, const double* given) {
  std::copy_n(given, samples.n, y.begin());
  mean = samples.centre(y.data());
  square = dot(y.data(), y.data(), samples.n);
  if (!std::isfinite(square) || square > kConstantY * (square + mean * mean)) return;
  std::fill(y.begin(), y.end(), 0.0);
  square = 0.0;
}

Centred::Centred(const SampleShares& samples, int64_t p)
    : samples_(samples),
      p_(p),
      width_(whole_lines(p)),
      means_(width_),
      gram_((width_ + 1) * width_),
      steps_(p + 1) {}

template <class Body>
void Centred::for_tiles(Tile& tile, const double* means, const double* factors,
                        const Body& body) const {
  for (int64_t begin = 0; begin < samples_.n; begin += kTileRows) {
    body(tile.widen(X_, begin, means, factors), begin);
  }
}

void Centred::take(const Array& X, Tile& tile, Targets* targets, const Array* next) {
  X_ = X;
  if (samples_.intercept) find_means(tile);
  std::fill_n(gram_.data(), width_ * width_, 0.0);
  if (targets) std::fill_n(targets->c.data(), width_, 0.0);
  Ahead ahead = bytes_of(next);
  const auto add = [&](const SmallRows& rows, int64_t begin) {
    tables().many->add_gram(rows, ahead, gram_.data());
    if (targets) tables().many->add_adjoint(rows, targets->y.data() + begin, targets->c.data());
  };
  for_tiles(tile, means_.data(), samples_.roots.data(), add);
  mirror();
  find_steps();
  if (targets) drop_still(targets);
}

void Centred::fill(Tile& tile, std::vector<Targets>& all) const {
  for (Targets& targets : all) std::fill_n(targets.c.data(), width_, 0.0);
  const auto add = [&](const SmallRows& rows, int64_t begin) {
    for (Targets& targets : all) {
      tables().many->add_adjoint(rows, targets.y.data() + begin, targets.c.data());
    }
  };
  for_tiles(tile, means_.data(), samples_.roots.data(), add);
  for (Targets& targets : all) drop_still(&targets);
}

void Centred::find_means(Tile& tile) {
  const std::vector<double> zeros(p_), ones(samples_.n, 1.0);
  std::fill_n(means_.data(), width_, 0.0);
  const auto add = [&](const SmallRows& rows, int64_t begin) {
    tables().many->add_adjoint(rows, samples_.shares.data() + begin, means_.data());
  };
  for_tiles(tile, zeros.data(), ones.data(), add);
}

void Centred::mirror() {
  double* gram = gram_.data();
  for (int64_t j = 0; j < width_; ++j) {
    for (int64_t k = j + 1; k < width_; ++k) gram[j * width_ + k] = gram[k * width_ + j];
  }
}

// A constant column, or one whose step would be infinite, does not move: what is left is rounding.
void Centred::find_steps() {
  for (int64_t j = 0; j < p_; ++j) {
    const double square = gram_.data()[j * width_ + j], mean = means_.data()[j];
    const double least = std::max(kStill * (square + mean * mean), kTiny);
    const bool known = std::isfinite(square);  // what is not stays for `largest` to tell
    steps_[j] = known && square > least ? 1.0 / square : 0.0;
    if (known && square <= least) still(j);
  }
}

void Centred::still(int64_t column) {
  double* gram = gram_.data();
  std::fill_n(gram + column * width_, width_, 0.0);
  for (int64_t j = 0; j < p_; ++j) gram[j * width_ + column] = 0.0;
}

void Centred::drop_still(Targets* targets) const {
  for (int64_t j = 0; j < p_; ++j) {
    if (gram_.data()[j * width_ + j] == 0.0) targets->c.data()[j] = 0.0;
  }
}

double Centred::largest() const {
  double largest = 0.0;
  for (int64_t j = 0; j < p_; ++j) {
    const double square = gram_.data()[j * width_ + j];
    if (!(square <= largest)) largest = square;  // what is not finite stays
  }
  return largest;
}

}  // namespace proxstep::cpu
