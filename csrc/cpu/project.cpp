// max(|z| - tau, 0) sums to the radius for one tau. The active elements are found by selection, as
// in Duchi, Shalev-Shwartz, Singer, Chandra, ICML 2008: a median splits the candidates, and only
// one side stays.
#include "project.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

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
class Row {
 public:
  Row(ConvexSet set, const S* z, std::int64_t n) : ball_(set == ConvexSet::l1_ball), z_(z), n_(n) {
    for (std::int64_t i = 0; i < n; ++i) {
      total_ += size(i);
      largest_ = std::max(largest_, size(i));
    }
  }

  void project(double radius, S* out) const {
    if (!std::isfinite(total_)) return std::fill(out, out + n_, pack(std::nan("")));
    if (ball_ && total_ <= radius) return std::copy_n(z_, n_, out), void();
    if (radius == 0.0) return std::fill(out, out + n_, pack(0.0));
    const double tau = threshold(radius, candidates(radius));
    for (std::int64_t i = 0; i < n_; ++i) {
      const double kept = std::max(size(i) - largest_ - tau, 0.0);
      out[i] = pack(ball_ && load(i) < 0.0 ? 0.0 - kept : kept);
    }
  }

 private:
  using Storage = op::Storage<S>;
  double load(std::int64_t i) const { return Storage::load(z_[i]); }
  double size(std::int64_t i) const { return ball_ ? std::abs(load(i)) : load(i); }
  static S pack(double v) { return Storage::pack(static_cast<typename Storage::compute>(v)); }

  // Elements that lie further below the largest than the radius cannot be active.
  std::vector<double> candidates(double radius) const {
    std::vector<double> v;
    for (std::int64_t i = 0; i < n_; ++i) {
      if (size(i) - largest_ > -radius) v.push_back(size(i) - largest_);
    }
    return v;
  }

  bool ball_;
  const S* z_;
  std::int64_t n_;
  double total_ = 0.0, largest_ = -std::numeric_limits<double>::infinity();
};

template <class S>
void project_rows(ConvexSet set, const void* from, void* to, std::int64_t rows, std::int64_t n,
                  double radius) {
  const S* const z = static_cast<const S*>(from);
  S* const out = static_cast<S*>(to);
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, 32768 / n);
  parallel_for(rows, rows_at_once, [&](std::int64_t begin, std::int64_t end, std::int64_t) {
    for (std::int64_t r = begin; r < end; ++r)
      Row<S>(set, z + r * n, n).project(radius, out + r * n);
  });
}

}  // namespace

void project(ConvexSet set, DType dtype, const void* z, void* out, std::int64_t rows,
             std::int64_t n, double radius) {
  if (n == 0) return;
  with_storage(
      dtype, [&](auto storage) { project_rows<decltype(storage)>(set, z, out, rows, n, radius); });
}

}  // namespace proxstep::cpu
