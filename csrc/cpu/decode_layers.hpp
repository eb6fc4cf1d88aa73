// Layer norm, attention over a cache, and the exact GELU, of one row.
#pragma once
#include "../decode.hpp"
#include "../op/attention.hpp"
#include "../op/norm.hpp"
#include "../op/normal_cdf.hpp"
#include "lanes.hpp"
#include "vectors.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

template <class T>
void layer_norm(const T* x, const T* gain, int64_t n, T* y) {
  const double mean = lane_sum(n, [&](int64_t i) { return double(x[i]); }) / double(n);
  const double squares = lane_sum(n, [&](int64_t i) {
    const double d = double(x[i]) - mean;
    return d * d;
  });
  const double scale = op::norm_scale(squares / double(n));
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = gain[i] * T((double(x[i]) - mean) * scale);
}

// out[j] = sum over k < count of weights[k] rows[k * apart + j], for `tile` of j, in registers.
template <class T, int tile>
inline void add_rows_tile(const T* weights, int64_t count, const T* rows, int64_t apart, T* out) {
  using V = Vector<T>;
  constexpr int vectors = tile / kWidth<T>;
  V sum[vectors] = {};
  for (int64_t k = 0; k < count; ++k) {
    const V* row = reinterpret_cast<const V*>(rows + k * apart);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[v] += weights[k] * row[v];
  }
  for (int v = 0; v < vectors; ++v) reinterpret_cast<V*>(out)[v] = sum[v];
}

template <class T>
void add_rows(const T* weights, int64_t count, const T* rows, int64_t apart, int64_t n, T* out) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    add_rows_tile<T, 2 * kLanes>(weights, count, rows + j, apart, out + j);
  }
  for (; j + kLanes <= n; j += kLanes) {
    add_rows_tile<T, kLanes>(weights, count, rows + j, apart, out + j);
  }
  for (; j < n; ++j) {
    T sum = T(0);
    for (int64_t k = 0; k < count; ++k) sum += weights[k] * rows[k * apart + j];
    out[j] = sum;
  }
}

// Scores lie along positions, which K has innermost, as whole lanes where there is room.
template <class T>
void attend(const HeadAttention<T>& a) {
  const int64_t whole = (a.length + kLanes - 1) / kLanes * kLanes;
  add_rows(a.q, a.size, a.keys, a.context, whole <= a.context ? whole : a.length, a.scores);
  const T scale = op::score_scale(T(a.size));
  T most = a.scores[0];
  for (int64_t t = 1; t < a.length; ++t) most = op::most(most, a.scores[t]);
#pragma GCC ivdep
  for (int64_t t = 0; t < a.length; ++t) {
    a.scores[t] = op::exp_nonpositive(scale * (a.scores[t] - most));
  }
  const double total = lane_sum(a.length, [&](int64_t t) { return double(a.scores[t]); });
  add_rows(a.scores, a.length, a.values, a.width, a.size, a.out);
  const T share = T(1.0 / total);
  for (int64_t d = 0; d < a.size; ++d) a.out[d] *= share;
}

template <class T>
void normal_cdf(const T* x, int64_t n, T* y) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = op::normal_cdf(x[i]);
}

template <class T>
void gelu_erf(T* x, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) x[i] = x[i] * op::normal_cdf(x[i]);
}

}  // namespace
}  // namespace proxstep::cpu
