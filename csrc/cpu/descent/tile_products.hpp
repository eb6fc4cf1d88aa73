// Products of columns over one tile of samples, in sums of eight parts that stay in registers.
// Letters: x columns, r residual, c an output, s a sample of the tile.
#pragma once
#include "eight.hpp"
#include "row_kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kLanesOfTile = 8;
constexpr int64_t kQuad = 4;  // columns, or outputs, whose sums stay in registers

inline LooseEight& eight(double* at) { return *reinterpret_cast<LooseEight*>(at); }
inline const LooseEight& eight(const double* at) {
  return *reinterpret_cast<const LooseEight*>(at);
}

// sums[j][c] += x_j' r_c in eight parts each, for kQuad columns and C outputs.
template <int C>
void add_quad(const double* x, const double* r, double* sums, int64_t outputs) {
  Eight sum[kQuad][C];
  for (int64_t j = 0; j < kQuad; ++j) {
    for (int c = 0; c < C; ++c) sum[j][c] = eight(sums + (j * outputs + c) * kLanesOfTile);
  }
  for (int64_t s = 0; s < kTileSamples; s += kLanesOfTile) {
    Eight right[C];
    for (int c = 0; c < C; ++c) right[c] = eight(r + c * kTileSamples + s);
    for (int64_t j = 0; j < kQuad; ++j) {
      const Eight left = eight(x + j * kTileSamples + s);
      for (int c = 0; c < C; ++c) sum[j][c] += left * right[c];
    }
  }
  for (int64_t j = 0; j < kQuad; ++j) {
    for (int c = 0; c < C; ++c) eight(sums + (j * outputs + c) * kLanesOfTile) = sum[j][c];
  }
}

void add_products(const double* x, const double* r, double* sums, int64_t outputs) {
  int64_t c = 0;
  for (; c + kQuad <= outputs; c += kQuad) {
    add_quad<kQuad>(x, r + c * kTileSamples, sums + c * kLanesOfTile, outputs);
  }
  const double* const rest = r + c * kTileSamples;
  double* const to = sums + c * kLanesOfTile;
  if (outputs - c == 3) return add_quad<3>(x, rest, to, outputs);
  if (outputs - c == 2) return add_quad<2>(x, rest, to, outputs);
  if (outputs - c == 1) return add_quad<1>(x, rest, to, outputs);
}

void clear(double* sums, int64_t count) {
  for (int64_t e = 0; e < count * kLanesOfTile; ++e) sums[e] = 0.0;
}
void fold_all(const double* sums, int64_t count, double* to) {
  for (int64_t e = 0; e < count; ++e) {
    const Eight parts = eight(sums + e * kLanesOfTile);
    to[e] = fold(parts);
  }
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
