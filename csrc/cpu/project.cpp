// max(|z| - tau, 0) sums to the radius for one tau. The active elements are found by selection, as
// in Duchi, Shalev-Shwartz, Singer, Chandra, ICML 2008: a median splits the candidates, and only
// one side stays.
#include "project.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "../op/project.hpp"
#include "../storage.hpp"
#include "pool.hpp"

namespace proxstep::cpu {
namespace {

// tau for the candidates v, which are relative to the largest element and include it as 0.
double threshold(double radius, std::vector<double> v) {
  double active_sum = 0.0;
  std::int64_t active = 0;
  auto low = v.begin(), high = v.end();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    std::nth_element(low, middle, high, std::greater<double>());
    const double above = std::accumulate(low, middle + 1, active_sum);
    const std::int64_t count = active + (middle + 1 - low);
    if (above - static_cast<double>(count) * *middle < radius) {
      active_sum = above;
      active = count;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return (active_sum - radius) / static_cast<double>(active);
}

template <class S>
class BallRow {
 public:
  BallRow(bool l1, const S* z, std::int64_t n) : l1_(l1), z_(z), n_(n) {
    for (std::int64_t i = 0; i < n; ++i) {
      total_ += size(i);
      largest_ = std::max(largest_, size(i));
    }
  }

  void project(double radius, S* out) const {
    if (!all_finite()) return std::fill(out, out + n_, pack(std::nan("")));
    if (l1_ && total_ <= radius) return std::copy_n(z_, n_, out), void();
    if (radius == 0.0) return std::fill(out, out + n_, pack(0.0));
    const double tau = threshold(radius, candidates(radius));
    for (std::int64_t i = 0; i < n_; ++i) {
      out[i] = pack(op::ball_element(l1_, load(i), largest_, tau));
    }
  }

 private:
  using Storage = op::Storage<S>;
  double load(std::int64_t i) const { return Storage::load(z_[i]); }
  double size(std::int64_t i) const { return op::ball_size(l1_, load(i)); }
  static S pack(double v) { return Storage::pack(static_cast<typename Storage::compute>(v)); }

  // Finite sizes may have an infinite sum.
  bool all_finite() const {
    if (std::isfinite(total_)) return true;
    for (std::int64_t i = 0; i < n_; ++i) {
      if (!std::isfinite(size(i))) return false;
    }
    return true;
  }

  // Elements that lie further below the largest than the radius cannot be active.
  std::vector<double> candidates(double radius) const {
    std::vector<double> v;
    for (std::int64_t i = 0; i < n_; ++i) {
      if (size(i) - largest_ > -radius) v.push_back(size(i) - largest_);
    }
    return v;
  }

  bool l1_;
  const S* z_;
  std::int64_t n_;
  double total_ = 0.0, largest_ = -std::numeric_limits<double>::infinity();
};

// The k largest magnitudes by the digits of their keys: a histogram tells which digit the k-th has.
template <class S>
class TopKRow {
 public:
  TopKRow(std::int64_t k, const S* z, std::int64_t n) : wanted_(k), z_(z), n_(n) {
    for (int shift = op::kKeyBits<S> - kDigit; shift >= 0; shift -= kDigit) add_digit(shift);
  }

  // Of equal magnitudes the earlier are kept.
  void project(S* out) const {
    std::int64_t ties = wanted_;
    for (std::int64_t i = 0; i < n_; ++i) {
      const Key key = op::size_key(z_[i]);
      const bool kept = key > threshold_ || (key == threshold_ && ties-- > 0);
      out[i] = kept ? z_[i] : S{};
    }
  }

 private:
  using Key = op::Key<S>;
  static constexpr int kDigit = 8, kDigits = 1 << kDigit;

  void add_digit(int shift) {
    std::array<std::int64_t, kDigits> counts{};
    for (std::int64_t i = 0; i < n_; ++i) {
      const Key digits = op::size_key(z_[i]) >> shift;
      if (digits >> kDigit == threshold_) ++counts[digits % kDigits];
    }
    Key digit = kDigits - 1;
    while (digit > 0 && counts[digit] < wanted_) wanted_ -= counts[digit--];
    threshold_ = (threshold_ << kDigit) + digit;
  }

  Key threshold_ = 0;    // the digits found so far
  std::int64_t wanted_;  // among the elements that have them
  const S* z_;
  std::int64_t n_;
};

template <class S>
void project_row(const Projection& p, const S* z, S* out) {
  if (p.set == ProjectionSet::top_k) {
    TopKRow<S>(p.k, z, p.n).project(out);
  } else {
    BallRow<S>(p.set == ProjectionSet::l1_ball, z, p.n).project(p.radius, out);
  }
}

template <class S>
void project_rows(const Projection& p) {
  const S* const z = static_cast<const S*>(p.z);
  S* const out = static_cast<S*>(p.out);
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, 32768 / p.n);
  parallel_for(p.rows, rows_at_once, [&](std::int64_t begin, std::int64_t end, std::int64_t) {
    for (std::int64_t r = begin; r < end; ++r) project_row(p, z + r * p.n, out + r * p.n);
  });
}

}  // namespace

void project(const Projection& p) {
  if (p.n == 0) return;
  with_storage(p.dtype, [&](auto storage) { project_rows<decltype(storage)>(p); });
}

}  // namespace proxstep::cpu
