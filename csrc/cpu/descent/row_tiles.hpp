// Blocks of columns of a dense X against tiles of samples. All of a tile is in the cache while what
// moved is added to its residual and the gradients of the next columns are summed.
// Letters: u changes of margins, r residual, c an output, s a sample of the tile.
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

// One tile of the block in double, minus the centres; 0 behind the samples and the columns.
template <class T>
void widen(const RowBlock& block, int64_t rows, int64_t tile, double* to) {
  for (int64_t b = 0; b < rows; ++b, to += kTileSamples) {
    int64_t count = 0;
    if (b < block.count) {
      const int64_t begin = tile * kTileSamples, left = block.columns[b].count - begin;
      const T* const values = static_cast<const T*>(block.columns[b].values);
      const T* const from = values ? values + begin : values;
      const double centre = block.centres[b], factor = block.columns[b].factor;
      count = left < kTileSamples ? left : kTileSamples;
      for (int64_t s = 0; s < count; ++s) to[s] = from ? double(from[s]) * factor - centre : 1.0;
    }
    for (int64_t s = count; s < kTileSamples; ++s) to[s] = 0.0;
  }
}

// r += share (diag(p + ridge) - p p') u, or share u, for eight samples.
inline void bend(const SampleRows& at, int64_t from, int64_t samples, const double* u,
                 int64_t apart) {
  const Eight share = eight(at.shares + samples);
  const int64_t k = at.width;
  double* const r = at.residual + from;
  if (!at.p) {
    for (int64_t c = 0; c < k; ++c) eight(r + c * kTileSamples) += share * eight(u + c * apart);
    return;
  }
  const double* const p = at.p + from;
  const double ridge = at.ridge;
  Eight mean = {};
  for (int64_t c = 0; c < k; ++c) mean += eight(p + c * kTileSamples) * eight(u + c * apart);
  for (int64_t c = 0; c < k; ++c) {
    const Eight own = eight(u + c * apart);
    eight(r + c * kTileSamples) += share * (eight(p + c * kTileSamples) * (own - mean) + ridge * own);
  }
}

// The tile's residual follows; M columns moved, x has them one behind the other.
template <int M>
void follow(const SampleRows& at, int64_t tile, const double* x, const double* d, double* u) {
  const int64_t k = at.width;
  for (int64_t s = 0; s < kTileSamples; s += kLanesOfTile) {
    Eight values[M];
    for (int b = 0; b < M; ++b) values[b] = eight(x + b * kTileSamples + s);
    for (int64_t c = 0; c < k; ++c) {
      Eight sum = values[0] * d[c];
      for (int b = 1; b < M; ++b) sum += values[b] * d[b * k + c];
      eight(u + c * kLanesOfTile) = sum;
    }
    bend(at, tile * kTileSamples * k + s, tile * kTileSamples + s, u, kLanesOfTile);
  }
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

template <class T>
void follow_block(const BlockStep& step, const SampleRows& at, int64_t tile, double* u) {
  double x[kBlockRows * kTileSamples];
  const int64_t count = step.moved.count;
  const int64_t rows = count <= 2 ? count : count <= 4 ? 4 : kBlockRows;
  widen<T>(step.moved, rows, tile, x);
  if (rows == 1) return follow<1>(at, tile, x, step.change, u);
  if (rows == 2) return follow<2>(at, tile, x, step.change, u);
  if (rows == 4) return follow<4>(at, tile, x, step.change, u);
  follow<kBlockRows>(at, tile, x, step.change, u);
}

template <class T>
void block_step(const BlockStep& step, const SampleRows& at, int64_t begin, int64_t end,
                double* scratch, double* g) {
  const int64_t k = at.width, rows = (step.wanted.count + kQuad - 1) / kQuad * kQuad;
  double* const sums = scratch + k * kLanesOfTile;
  double x[kBlockRows * kTileSamples];
  clear(sums, rows * k);
  for (int64_t tile = begin; tile < end; ++tile) {
    if (step.moved.count) follow_block<T>(step, at, tile, scratch);
    widen<T>(step.wanted, rows, tile, x);
    for (int64_t j = 0; j < rows; j += kQuad) {
      add_products(x + j * kTileSamples, at.residual + tile * kTileSamples * k, sums + j * k * kLanesOfTile, k);
    }
  }
  fold_all(sums, step.wanted.count * k, g);
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

template <class T>
void block_curvature(const RowBlock& block, int64_t outputs, const double* bend, int64_t tiles,
                     double* scratch, double* h) {
  static_assert(kPairs % kQuad == 0, "pairs come in whole quads");
  double x[kBlockRows * kTileSamples], products[kQuad * kTileSamples];
  clear(scratch, kPairs * outputs);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    widen<T>(block, kBlockRows, tile, x);
    for (int64_t pair = 0; pair < kPairs; pair += kQuad) {
      multiply_pairs(x, pair, products);
      add_products(products, bend + tile * kTileSamples * outputs,
                   scratch + pair * outputs * kLanesOfTile, outputs);
    }
  }
  fold_all(scratch, kPairs * outputs, h);
}

void follow_margins(const SampleRows& at, const double* margins, int64_t begin, int64_t end) {
  for (int64_t tile = begin; tile < end; ++tile) {
    for (int64_t s = 0; s < kTileSamples; s += kLanesOfTile) {
      const int64_t from = tile * kTileSamples * at.width + s;
      bend(at, from, tile * kTileSamples + s, margins + from, kTileSamples);
    }
  }
}

template <class T>
constexpr TileLoops tile_loops() {
  return {block_step<T>, block_curvature<T>};
}

}  // namespace
}  // namespace proxstep::cpu
