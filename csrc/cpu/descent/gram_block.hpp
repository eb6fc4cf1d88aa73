// The innermost product of a Gram matrix: eight columns by up to three lines of eight, sample by
// sample, so that no sum's bits depend on the width of vectors.
#pragma once
#include "kernels.hpp"
#include "wide.hpp"

namespace proxstep::cpu {
namespace {

constexpr int kBlockRows = kWide == 8 ? 8 : 4;   // of sums that stay in registers,
constexpr int kBlockWides = kWide == 8 ? 3 : 2;  // by so many vectors

template <int wides>
void add_block(const GramBlock& job, int first, int line) {
  const double *a = job.a + first, *b = job.b + line;
  double* g = job.g + first * job.stride + line;
  for (int r = 0; r < kBlockRows; ++r) {
    for (int c = 0; c < wides; ++c) __builtin_prefetch(g + r * job.stride + c * kWide);
  }
  Wide sum[kBlockRows][wides] = {};
  for (std::int64_t s = 0; s < job.samples; ++s, a += kGramPanel, b += kGramPanel) {
    Wide right[wides];
#pragma GCC unroll 3
    for (int c = 0; c < wides; ++c) right[c] = vector(b + c * kWide);
#pragma GCC unroll 8
    for (int r = 0; r < kBlockRows; ++r) {
#pragma GCC unroll 3
      for (int c = 0; c < wides; ++c) sum[r][c] += a[r] * right[c];
    }
  }
  for (int r = 0; r < kBlockRows; ++r) {
    for (int c = 0; c < wides; ++c) vector(g + r * job.stride + c * kWide) += sum[r][c];
  }
}

template <int wides = kBlockWides>
void add_lines(const GramBlock& job, int first, int line, int left) {
  for (; left >= wides; left -= wides, line += wides * kWide) add_block<wides>(job, first, line);
  if constexpr (wides > 1) {
    if (left > 0) add_lines<wides - 1>(job, first, line, left);
  }
}

void gram_block(const GramBlock& job) {
  for (int first = 0; first < kGramLine; first += kBlockRows) {
    add_lines(job, first, 0, static_cast<int>(job.lines) * kGramLine / kWide);
  }
}

}  // namespace
}  // namespace proxstep::cpu
