// The innermost product of a Gram matrix: 4 columns by 4 over one tile of samples.
#pragma once
#include "kernels.hpp"
#include "wide.hpp"

namespace proxstep::cpu {
namespace {

void gram_block(const double* a, const double* b, std::int64_t rows, double* g,
                std::int64_t stride) {
  static_assert(kGramBlock == kQuad);
  double sums[kQuad * kQuad * kParts] = {};
  for (int c = 0; c < kQuad; c += kHeld) {
    add_quad<kHeld>(a, b + c * rows, rows, sums + c * kParts, kQuad);
  }
  for (int r = 0; r < kGramBlock; ++r) {
    for (int c = 0; c < kGramBlock; ++c) {
      g[r * stride + c] += fold(sums + (r * kGramBlock + c) * kParts);
    }
  }
}

}  // namespace
}  // namespace proxstep::cpu
