// The innermost product of a Gram matrix: 4 columns by 4 over one tile of samples, in registers.
#pragma once
#include "eight.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {
namespace {

void gram_block(const double* a, const double* b, std::int64_t rows, double* g,
                std::int64_t stride) {
  Eight sum[kGramBlock][kGramBlock] = {};
  for (std::int64_t i = 0; i < rows; i += 8) {
    Eight right[kGramBlock];
    for (int c = 0; c < kGramBlock; ++c) {
      right[c] = *reinterpret_cast<const LooseEight*>(b + c * rows + i);
    }
    for (int r = 0; r < kGramBlock; ++r) {
      const Eight left = *reinterpret_cast<const LooseEight*>(a + r * rows + i);
      for (int c = 0; c < kGramBlock; ++c) sum[r][c] += left * right[c];
    }
  }
  for (int r = 0; r < kGramBlock; ++r) {
    for (int c = 0; c < kGramBlock; ++c) g[r * stride + c] += fold(sum[r][c]);
  }
}

}  // namespace
}  // namespace proxstep::cpu
