// Loops over one line of a matrix. W outputs are taken at a time, and U elements of the line go to
// sums of their own: the order of additions does not depend on the vector width.
#pragma once
#include "kernels.hpp"
#include "line_kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int kSums = 4;  // of a line, where outputs leave room

template <int N>
struct Width {
  static constexpr int value = N;
};

// Elements of a line, and the rows of from or to that they meet.
template <class T>
struct ChosenLine {
  const T* values;
  const int64_t* positions;
  int64_t first, count;
  int64_t position(int64_t e) const {
    return first + e;
  }  // from and to have rows for the chosen only
  double value(int64_t e) const { return double(values[positions[e]]); }
};
template <class T, class I>
struct SparseLine {
  const T* values;
  const I* indices;
  int64_t count;
  int64_t position(int64_t e) const { return int64_t(indices[e]); }
  double value(int64_t e) const { return double(values[e]); }
};

// first, last: the stretch of positions that is wanted.
template <class T>
struct ChosenLines {
  explicit ChosenLines(const LineJob& job)
      : values(static_cast<const T*>(job.matrix->values)),
        positions(job.positions),
        length(job.length) {}
  ChosenLine<T> line(int64_t k, int64_t first, int64_t last) const {
    return {values + k * length, positions + first, first, last - first};
  }
  const T* values;
  const int64_t* positions;
  int64_t length;
};
template <class T, class I>
struct SparseLines {
  explicit SparseLines(const LineJob& job)
      : values(static_cast<const T*>(job.matrix->values)),
        indices(static_cast<const I*>(job.matrix->indices)),
        starts(static_cast<const I*>(job.matrix->starts)),
        length(job.length) {}
  SparseLine<T, I> line(int64_t k, int64_t first, int64_t last) const {
    const int64_t begin = first > 0 ? not_below(k, first) : starts[k];
    const int64_t end = last < length ? not_below(k, last) : starts[k + 1];
    return {values + begin, indices + begin, end - begin};
  }
  // Where in the line the first index lies that is not below this position.
  int64_t not_below(int64_t k, int64_t position) const {
    int64_t begin = starts[k], end = starts[k + 1];
    while (begin < end) {
      const int64_t middle = begin + (end - begin) / 2;
      indices[middle] < position ? begin = middle + 1 : end = middle;
    }
    return begin;
  }
  const T* values;
  const I *indices, *starts;
  int64_t length;
};

template <int U, int W>
PROXSTEP_FN void fold(const double (&sums)[U][W], double* to) {
  if constexpr (U == 1) {
    for (int c = 0; c < W; ++c) to[c] = sums[0][c];
  } else {
    double half[U / 2][W];
    for (int u = 0; u < U / 2; ++u) {
      for (int c = 0; c < W; ++c) half[u][c] = sums[u][c] + sums[u + U / 2][c];
    }
    fold(half, to);
  }
}

template <int W, int U, class Line>
PROXSTEP_FN void dot_outputs(const Line& line, const double* from, int64_t stride, double* to) {
  double sums[U][W] = {};
  int64_t e = 0;
  for (; e + U <= line.count; e += U) {
#pragma GCC unroll 16
    for (int u = 0; u < U; ++u) {
      const double value = line.value(e + u);
      const double* const at = from + line.position(e + u) * stride;
      for (int c = 0; c < W; ++c) sums[u][c] += value * at[c];
    }
  }
  for (int u = 0; e < line.count; ++e, ++u) {
    const double* const at = from + line.position(e) * stride;
    for (int c = 0; c < W; ++c) sums[u][c] += line.value(e) * at[c];
  }
  fold(sums, to);
}

template <int W, class Line>
PROXSTEP_FN void add_outputs(const Line& line, const double* factors, int64_t stride, double* to) {
  double f[W];
  for (int c = 0; c < W; ++c) f[c] = factors[c];
  for (int64_t e = 0; e < line.count; ++e) {  // the outputs make the vectors
    const double value = line.value(e);
    double* const at = to + line.position(e) * stride;
    double sums[W];
    for (int c = 0; c < W; ++c) sums[c] = at[c] + value * f[c];
    for (int c = 0; c < W; ++c) at[c] = sums[c];
  }
}

// body(width, first output), widths 16, 8, 4, 2 and 1 as constants.
template <class Body>
PROXSTEP_FN void over_outputs(int64_t outputs, const Body& body) {
  int64_t c = 0;
  for (; c + 16 <= outputs; c += 16) body(Width<16>{}, c);
  if (c + 8 <= outputs) body(Width<8>{}, c), c += 8;
  if (c + 4 <= outputs) body(Width<4>{}, c), c += 4;
  if (c + 2 <= outputs) body(Width<2>{}, c), c += 2;
  if (c < outputs) body(Width<1>{}, c);
}

}  // namespace
}  // namespace proxstep::cpu
