// Loops over several dense lines of a matrix at once: one line alone leaves the memory waiting.
// Sums have the bits that they have line by line.
#pragma once
#include "lanes.hpp"
#include "vectors.hpp"

namespace proxstep::cpu {
namespace {

constexpr int kStreams = kVectorBytes == 64 ? 5 : kVectorBytes == 32 ? 3 : 1;  // sums in registers

// to[c] = line[c]' r over n elements, in the order of lane_sum.
template <int C, class T>
inline void dot_streams(const T* const* line, std::int64_t n, const double* r, double* to) {
  constexpr int kStep = kWidth<double>, kSteps = kLanes / kStep;
  Vector<double> sum[C][kSteps] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int s = 0; s < kSteps; ++s) {
      const Vector<double> right = vector(r + i + s * kStep);
      for (int c = 0; c < C; ++c) sum[c][s] += widened(line[c] + i + s * kStep) * right;
    }
  }
  for (int c = 0; c < C; ++c) {
    double lanes[kLanes];
    for (int s = 0; s < kSteps; ++s) vector(lanes + s * kStep) = sum[c][s];
    for (std::int64_t e = i; e < n; ++e) lanes[e - i] += double(line[c][e]) * r[e];
    to[c] = fold_lanes(lanes);
  }
}

// to += f[0] line[0] + f[1] line[1] + ..., in this order.
template <int C, class T>
inline void add_streams(const T* const* line, std::int64_t n, const double* f, double* to) {
  constexpr int kStep = kWidth<double>;
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    Vector<double> sum = vector(to + i);
    for (int c = 0; c < C; ++c) sum += f[c] * widened(line[c] + i);
    vector(to + i) = sum;
  }
  for (; i < n; ++i) {
    for (int c = 0; c < C; ++c) to[i] += f[c] * double(line[c][i]);
  }
}

// body(k, C) for `count` lines, C of them from the k-th on at once: a constant, as many as there
// may be.
template <int C>
struct Streams {
  static constexpr int count = C;
};
template <int C = kStreams, class Body>
inline void over_streams(std::int64_t count, const Body& body, std::int64_t k = 0) {
  for (; k + C <= count; k += C) body(k, Streams<C>{});
  if constexpr (C > 1) over_streams<C - 1>(count, body, k);
}

}  // namespace
}  // namespace proxstep::cpu
