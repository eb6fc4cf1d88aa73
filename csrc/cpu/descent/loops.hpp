// Loops over one column of X: dense ones in fixed lanes, sparse ones in the order of their entries.
#pragma once
#include "../lanes.hpp"
#include "../streams.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

template <class T>
const T* values_of(const Column& x) {
  return static_cast<const T*>(x.values);
}
template <class I>
const I* samples_of(const Column& x) {
  return static_cast<const I*>(x.indices);
}

template <class T>
struct DenseLoops {
  static double dot(const Column& x, const double* r) {
    const T* v = values_of<T>(x);
    return x.factor * lane_sum(x.count, [=](int64_t i) { return double(v[i]) * r[i]; });
  }
  static void add(const Column& x, double d, double* to) {
    const T* v = values_of<T>(x);
    d *= x.factor;
#pragma GCC ivdep
    for (int64_t i = 0; i < x.count; ++i) to[i] += d * double(v[i]);
  }
  static void dots(const Column* x, int64_t count, const double* r, double* to) {
    over_streams(count, [=](int64_t k, auto streams) {
      constexpr int C = decltype(streams)::count;
      const T* v[C];
      for (int c = 0; c < C; ++c) v[c] = values_of<T>(x[k + c]);
      dot_streams<C>(v, x->count, r, to + k);
      for (int c = 0; c < C; ++c) to[k + c] *= x[k + c].factor;
    });
  }
  static void add_all(const Column* x, int64_t count, const double* d, double* to) {
    over_streams(count, [=](int64_t k, auto streams) {
      constexpr int C = decltype(streams)::count;
      const T* v[C];
      double f[C];
      for (int c = 0; c < C; ++c) v[c] = values_of<T>(x[k + c]), f[c] = d[k + c] * x[k + c].factor;
      add_streams<C>(v, x->count, f, to);
    });
  }
  static void add_bent(const Column& x, double d, const double* h, double* to) {
    const T* v = values_of<T>(x);
    d *= x.factor;
#pragma GCC ivdep
    for (int64_t i = 0; i < x.count; ++i) to[i] += d * (h[i] * double(v[i]));
  }
  static Moments moments(const Column& x, const double* h) {
    const T* v = values_of<T>(x);
    const double first = lane_sum(x.count, [=](int64_t i) { return h[i] * double(v[i]); });
    return {x.factor * first, product(x, x, h)};
  }
  static double product(const Column& x, const Column& z, const double* h) {
    const T *v = values_of<T>(x), *u = values_of<T>(z);
    const double sum =
        lane_sum(x.count, [=](int64_t i) { return h[i] * (double(v[i]) * double(u[i])); });
    return x.factor * z.factor * sum;
  }
  static constexpr ColumnLoops loops() {
    return {dot, add, dots, add_all, add_bent, moments, product};
  }
};

// Sums in four partial ones: a chain of additions would be slower than the loads.
struct EntrySum {
  double parts[4] = {};
  double total() const { return (parts[0] + parts[2]) + (parts[1] + parts[3]); }
};

// Calls add(k, lane) for all entries, in four lanes.
template <class Add>
void in_lanes(int64_t count, const Add& add) {
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (int lane = 0; lane < 4; ++lane) add(k + lane, lane);
  }
  for (; k < count; ++k) add(k, 0);
}

template <class T, class I>
struct SparseLoops {
  static double dot(const Column& x, const double* r) {
    const T* v = values_of<T>(x);
    const I* at = samples_of<I>(x);
    EntrySum sum;
    in_lanes(x.count, [&](int64_t k, int lane) { sum.parts[lane] += double(v[k]) * r[at[k]]; });
    return x.factor * sum.total();
  }
  static void add(const Column& x, double d, double* to) {
    const T* v = values_of<T>(x);
    const I* at = samples_of<I>(x);
    d *= x.factor;
    for (int64_t k = 0; k < x.count; ++k) to[at[k]] += d * double(v[k]);
  }
  static void dots(const Column* x, int64_t count, const double* r, double* to) {
    for (int64_t k = 0; k < count; ++k) to[k] = dot(x[k], r);
  }
  static void add_all(const Column* x, int64_t count, const double* d, double* to) {
    for (int64_t k = 0; k < count; ++k) {
      if (d[k] != 0.0) add(x[k], d[k], to);
    }
  }
  static void add_bent(const Column& x, double d, const double* h, double* to) {
    const T* v = values_of<T>(x);
    const I* at = samples_of<I>(x);
    d *= x.factor;
    for (int64_t k = 0; k < x.count; ++k) to[at[k]] += d * (h[at[k]] * double(v[k]));
  }
  static Moments moments(const Column& x, const double* h) {
    const T* v = values_of<T>(x);
    const I* at = samples_of<I>(x);
    EntrySum first, second;
    in_lanes(x.count, [&](int64_t k, int lane) {
      const double moment = h[at[k]] * double(v[k]);
      first.parts[lane] += moment;
      second.parts[lane] += moment * double(v[k]);
    });
    return {x.factor * first.total(), x.factor * x.factor * second.total()};
  }
  // Of the samples that both columns have.
  static double product(const Column& x, const Column& z, const double* h) {
    const T *v = values_of<T>(x), *u = values_of<T>(z);
    const I *i = samples_of<I>(x), *j = samples_of<I>(z);
    double sum = 0.0;
    for (int64_t k = 0, l = 0; k < x.count && l < z.count;) {
      if (i[k] == j[l]) sum += h[i[k]] * (double(v[k]) * double(u[l]));
      const bool behind = i[k] <= j[l], ahead = i[k] >= j[l];
      k += behind;
      l += ahead;
    }
    return x.factor * z.factor * sum;
  }
  static constexpr ColumnLoops loops() {
    return {dot, add, dots, add_all, add_bent, moments, product};
  }
};

}  // namespace
}  // namespace proxstep::cpu
