// Products of columns over one tile of samples, in sums of eight parts that stay in registers.
// Letters: x columns, r residual, c an output, s a sample of the tile.
#pragma once
#include "row_kernels.hpp"
#include "wide.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

// add_quad over a tile, for all outputs from c on.
template <int C = kHeld>
void add_products(const double* x, const double* r, double* sums, int64_t outputs, int64_t c = 0) {
  for (; c + C <= outputs; c += C) {
    add_quad<C>(x, r + c * kTileSamples, kTileSamples, sums + c * kParts, outputs);
  }
  if constexpr (C > 1) add_products<C - 1>(x, r, sums, outputs, c);
}

void clear(double* sums, int64_t count) {
  for (int64_t e = 0; e < count * kParts; ++e) sums[e] = 0.0;
}
void fold_all(const double* sums, int64_t count, double* to) {
  for (int64_t e = 0; e < count; ++e) to[e] = fold(sums + e * kParts);
}

// Products of the columns of a block by pairs, kQuad pairs at a time.
void multiply_pairs(const double* x, int64_t first, double* to) {
  int64_t j = 0;
  while ((j + 1) * (j + 2) / 2 <= first) ++j;
  int64_t k = first - j * (j + 1) / 2;
  for (int64_t pair = 0; pair < kQuad; ++pair, to += kTileSamples) {
    const double *a = x + j * kTileSamples, *b = x + k * kTileSamples;
    for (int64_t s = 0; s < kTileSamples; ++s) to[s] = a[s] * b[s];
    if (k++ == j) k = 0, ++j;
  }
}

}  // namespace
}  // namespace proxstep::cpu
