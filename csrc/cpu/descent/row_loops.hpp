// Loops over the samples of one column of X. W is the width, 0 where it is not a constant.
#pragma once
#include "../../op/scalar.hpp"
#include "row_kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

struct DenseSamples {
  explicit DenseSamples(const Column& x)
      : values(static_cast<const double*>(x.values)), count(x.count) {}
  int64_t sample(int64_t e) const { return e; }
  double value(int64_t e) const { return values[e]; }
  const double* values;
  int64_t count;
};
template <class T, class I>
struct SparseSamples {
  explicit SparseSamples(const Column& x)
      : values(static_cast<const T*>(x.values)),
        samples(static_cast<const I*>(x.indices)),
        count(x.count),
        factor(x.factor) {}
  int64_t sample(int64_t e) const { return int64_t(samples[e]); }
  double value(int64_t e) const { return double(values[e]) * factor; }
  const T* values;
  const I* samples;
  int64_t count;
  double factor;
};

template <int W>
struct Width {
  static constexpr int constant = W;
};

template <class Body>
PROXSTEP_FN void with_width(int64_t width, const Body& body) {
  switch (width) {
    case 4:
      return body(Width<4>{});
    case 8:
      return body(Width<8>{});
    case 12:
      return body(Width<12>{});
    case 16:
      return body(Width<16>{});
    case 20:
      return body(Width<20>{});
    case 24:
      return body(Width<24>{});
    case 32:
      return body(Width<32>{});
    default:
      return body(Width<0>{});
  }
}

// to += sum_i factor(x_i) rows_i, in the order of the samples.
template <int W, class Samples, class Factor>
PROXSTEP_FN void sum_rows(const Samples& x, int64_t width, const double* rows, double* to,
                          const Factor& factor) {
  double own[W ? W : 1];
  double* const sums = W ? own : to;
  const int64_t n = W ? W : width;
  for (int64_t c = 0; c < n; ++c) sums[c] = 0.0;
  for (int64_t e = 0; e < x.count; ++e) {
    const double f = factor(x.value(e));
    const double* const row = rows + x.sample(e) * n;
    for (int64_t c = 0; c < n; ++c) sums[c] += f * row[c];
  }
  if (W) {
    for (int64_t c = 0; c < n; ++c) to[c] = sums[c];
  }
}

// In four sums, whatever the vectors.
PROXSTEP_FN double dot_row(int64_t width, const double* p, const double* d) {
  double sums[kPad] = {};
  for (int64_t c = 0; c < width; c += kPad) {
    for (int u = 0; u < kPad; ++u) sums[u] += p[c + u] * d[c + u];
  }
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

template <int W, class Samples>
PROXSTEP_FN void follow(const Samples& x, const SampleRows& at, const double* d) {
  const int64_t n = W ? W : at.width;
  for (int64_t e = 0; e < x.count; ++e) {
    const int64_t i = x.sample(e);
    const double f = x.value(e) * at.shares[i];
    double* const r = at.residual + i * n;
    if (!at.p) {
      for (int64_t c = 0; c < n; ++c) r[c] += f * d[c];
      continue;
    }
    const double* const p = at.p + i * n;
    const double mean = dot_row(n, p, d), ridge = at.ridge;
#pragma GCC ivdep
    for (int64_t c = 0; c < n; ++c) r[c] += f * (p[c] * (d[c] - mean) + ridge * d[c]);
  }
}

template <class Samples>
void gradient(const Column& x, int64_t width, const double* residual, double* g) {
  with_width(width, [&](auto w) {
    sum_rows<decltype(w)::constant>(Samples(x), width, residual, g,
                                    [](double value) { return value; });
  });
}

template <class Samples>
void change(const Column& x, const SampleRows& at, const double* d) {
  with_width(at.width, [&](auto width) { follow<decltype(width)::constant>(Samples(x), at, d); });
}

template <class Samples>
void curvature(const Column& x, int64_t width, const double* bend, double* h) {
  with_width(width, [&](auto w) {
    sum_rows<decltype(w)::constant>(Samples(x), width, bend, h,
                                    [](double value) { return value * value; });
  });
}

// to += share_i p_i p_i' for Count samples, in their order.
template <int W, int Count>
PROXSTEP_FN void add_squares(const SampleRows& at, int64_t first, double* to) {
  const int64_t n = W ? W : at.width;
  const double* const p = at.p + first * n;
  for (int64_t a = 0; a < n; ++a, to += n) {
    double f[Count];
    for (int i = 0; i < Count; ++i) f[i] = at.shares[first + i] * p[i * n + a];
    for (int64_t b = 0; b < n; ++b) {
      double sum = to[b];
      for (int i = 0; i < Count; ++i) sum += f[i] * p[i * n + b];
      to[b] = sum;
    }
  }
}

inline void bend_of_margins(const SampleRows& at, int64_t n, double* diagonal, double* squares) {
  const int64_t width = at.width;
  for (int64_t c = 0; c < width; ++c) diagonal[c] = 0.0;
  for (int64_t e = 0; e < width * width; ++e) squares[e] = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    const double* const p = at.p + i * width;
    for (int64_t c = 0; c < width; ++c) diagonal[c] += at.shares[i] * (p[c] + at.ridge);
  }
  with_width(width, [&](auto w) {
    constexpr int W = decltype(w)::constant;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) add_squares<W, 4>(at, i, squares);
    for (; i < n; ++i) add_squares<W, 1>(at, i, squares);
  });
}

template <class Samples>
constexpr RowLoops row_loops() {
  return {gradient<Samples>, change<Samples>, curvature<Samples>};
}

}  // namespace
}  // namespace proxstep::cpu
