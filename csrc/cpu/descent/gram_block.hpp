// The innermost product of a Gram matrix: 4 columns by 4 over one tile of samples.
#pragma once
#include "kernels.hpp"
#include "wide.hpp"

namespace proxstep::cpu {
namespace {

// Some of the eight parts of 4 by kHeld sums, in registers; `to` has the sums row by row.
inline void sum_parts(const double* a, const double* b, std::int64_t rows, double* to) {
  Wide sum[kGramBlock][kHeld] = {};
  for (std::int64_t i = 0; i < rows; i += kParts) {
    Wide right[kHeld];
    for (int c = 0; c < kHeld; ++c) right[c] = wide(b + c * rows + i);
    for (int r = 0; r < kGramBlock; ++r) {
      const Wide left = wide(a + r * rows + i);
      for (int c = 0; c < kHeld; ++c) sum[r][c] += left * right[c];
    }
  }
  for (int r = 0; r < kGramBlock; ++r) {
    for (int c = 0; c < kHeld; ++c) wide(to + (r * kGramBlock + c) * kParts) = sum[r][c];
  }
}

void gram_block(const double* a, const double* b, std::int64_t rows, double* g,
                std::int64_t stride) {
  double sums[kGramBlock * kGramBlock * kParts];
  for (int c = 0; c < kGramBlock; c += kHeld) {
    for (int part = 0; part < kParts; part += kWide) {
      sum_parts(a + part, b + c * rows + part, rows, sums + c * kParts + part);
    }
  }
  for (int r = 0; r < kGramBlock; ++r) {
    for (int c = 0; c < kGramBlock; ++c) {
      g[r * stride + c] += fold(sums + (r * kGramBlock + c) * kParts);
    }
  }
}

}  // namespace
}  // namespace proxstep::cpu
