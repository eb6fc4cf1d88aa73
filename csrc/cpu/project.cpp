// max(|z| - tau, 0) sums to the radius for one tau. The active elements are found by selection, as
// in Duchi, Shalev-Shwartz, Singer, Chandra, ICML 2008: a median splits the candidates, and only
// one side stays.
#include "project.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "pool.hpp"
#include "storage.hpp"

namespace proxstep::cpu {
namespace {

template <class T>
double sum(const T* begin, const T* end) {
  double total = 0.0;
  for (; begin != end; ++begin) total += static_cast<double>(*begin);
  return total;
}

// Elements at or below a lower bound of tau cannot be active.
template <class T>
void drop_small(double radius, std::vector<T>* v) {
  const double most = *std::max_element(v->begin(), v->end());
  const double mean = (sum(v->data(), v->data() + v->size()) - radius) / double(v->size());
  const double bound = std::max(most - radius, mean);
  v->erase(std::remove_if(v->begin(), v->end(), [=](T a) { return double(a) < bound; }), v->end());
}

template <class T>
double threshold(double radius, std::vector<T> v) {
  drop_small(radius, &v);
  double active_sum = 0.0;
  std::int64_t active = 0;
  T* low = v.data();
  T* high = v.data() + v.size();
  while (low < high) {
    T* const middle = low + (high - low) / 2;
    std::nth_element(low, middle, high, std::greater<T>());
    const double pivot = *middle;
    const double above = active_sum + sum(low, middle + 1);
    const std::int64_t count = active + (middle + 1 - low);
    if (above - static_cast<double>(count) * pivot < radius) {
      active_sum = above;
      active = count;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return active ? (active_sum - radius) / static_cast<double>(active) : 0.0;
}

template <class S>
void project_row(ConvexSet set, const S* z, S* out, std::int64_t n, double radius) {
  using Storage = op::Storage<S>;
  using C = typename Storage::compute;
  const bool ball = set == ConvexSet::l1_ball;
  std::vector<C> v(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    v[i] = ball ? std::abs(Storage::load(z[i])) : Storage::load(z[i]);
  }
  const double total = sum(v.data(), v.data() + n);
  if (!std::isfinite(total)) {
    std::fill(out, out + n, Storage::pack(std::numeric_limits<C>::quiet_NaN()));
  } else if (ball && total <= radius) {
    std::copy(z, z + n, out);
  } else if (radius == 0.0) {
    std::fill(out, out + n, Storage::pack(C(0)));
  } else {
    const double tau = threshold(radius, std::move(v));
    for (std::int64_t i = 0; i < n; ++i) {
      const double from = Storage::load(z[i]);
      const C kept = static_cast<C>(std::max((ball ? std::abs(from) : from) - tau, 0.0));
      out[i] = Storage::pack(ball && from < 0.0 ? C(0) - kept : kept);
    }
  }
}

template <class S>
void project_rows(ConvexSet set, const void* from, void* to, std::int64_t rows, std::int64_t n,
                  double radius) {
  const S* const z = static_cast<const S*>(from);
  S* const out = static_cast<S*>(to);
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, 32768 / n);
  parallel_for(rows, rows_at_once, [&](std::int64_t begin, std::int64_t end, std::int64_t) {
    for (std::int64_t r = begin; r < end; ++r) project_row(set, z + r * n, out + r * n, n, radius);
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
