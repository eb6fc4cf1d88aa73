// Loops over the columns of a dense matrix for their moments around given points. Several columns
// or rows at once: one stream alone leaves the memory waiting. The order of additions does not
// depend on the vector width.
#pragma once
#include "line_kernels.hpp"
#include "streams.hpp"

namespace proxstep::cpu {
namespace {

constexpr int kMomentStreams = kVectorBytes == 64 ? 5 : 1;  // two sums each in registers
constexpr int kRowStreams = 4;

template <int C, bool weighted, class T>
inline void column_deviations(const T* const* line, std::int64_t n, const double* w,
                              const double* origin, double* sums, double* squares) {
  constexpr int kStep = kWidth<double>, kSteps = kLanes / kStep;
  Vector<double> sum[C][kSteps] = {}, square[C][kSteps] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int s = 0; s < kSteps; ++s) {
      const std::int64_t at = i + s * kStep;
      for (int c = 0; c < C; ++c) {
        const Vector<double> d = widened(line[c] + at) - origin[c];
        const Vector<double> part = weighted ? vector(w + at) * d : d;
        sum[c][s] += part;
        square[c][s] += part * d;
      }
    }
  }
  for (int c = 0; c < C; ++c) {
    double first[kLanes], second[kLanes];
    for (int s = 0; s < kSteps; ++s) vector(first + s * kStep) = sum[c][s];
    for (int s = 0; s < kSteps; ++s) vector(second + s * kStep) = square[c][s];
    for (std::int64_t e = i; e < n; ++e) {
      const double d = double(line[c][e]) - origin[c], part = weighted ? w[e] * d : d;
      first[e - i] += part;
      second[e - i] += part * d;
    }
    sums[c] = fold_lanes(first);
    squares[c] = fold_lanes(second);
  }
}

template <int R, class T>
inline void row_deviations(const T* const* line, std::int64_t count, const double* w,
                           const double* origin, double* sums, double* squares) {
  constexpr int kStep = kWidth<double>;
  std::int64_t j = 0;
  for (; j + kStep <= count; j += kStep) {
    Vector<double> sum = vector(sums + j), square = vector(squares + j);
    for (int r = 0; r < R; ++r) {
      const Vector<double> d = widened(line[r] + j) - vector(origin + j), part = w[r] * d;
      sum += part;
      square += part * d;
    }
    vector(sums + j) = sum;
    vector(squares + j) = square;
  }
  for (; j < count; ++j) {
    for (int r = 0; r < R; ++r) {
      const double d = double(line[r][j]) - origin[j], part = w[r] * d;
      sums[j] += part;
      squares[j] += part * d;
    }
  }
}

template <class T>
void columns_apart(const DeviationJob& job, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = job.matrix->n;
  over_streams<kMomentStreams>(end - begin, [&](std::int64_t k, auto streams) {
    constexpr int C = decltype(streams)::count;
    const std::int64_t j = begin + k;
    const T* line[C];
    for (int c = 0; c < C; ++c) line[c] = static_cast<const T*>(job.matrix->values) + (j + c) * n;
    const auto look = job.shares ? column_deviations<C, true, T> : column_deviations<C, false, T>;
    look(line, n, job.shares, job.origin + j, job.sums + j, job.squares + j);
  });
}

template <class T>
void columns_together(const DeviationJob& job, std::int64_t first, std::int64_t last,
                      std::int64_t begin, std::int64_t end) {
  over_streams<kRowStreams>(last - first, [&](std::int64_t k, auto streams) {
    constexpr int R = decltype(streams)::count;
    const T* line[R];
    double w[R];
    for (int r = 0; r < R; ++r) {
      const std::int64_t i = first + k + r;
      line[r] = static_cast<const T*>(job.matrix->values) + i * job.matrix->p + begin;
      w[r] = job.shares ? job.shares[i] : 1.0;
    }
    row_deviations<R>(line, end - begin, w, job.origin + begin, job.sums + begin,
                      job.squares + begin);
  });
}

}  // namespace
}  // namespace proxstep::cpu
