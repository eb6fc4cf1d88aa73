// Blocks of columns of a dense X against tiles of samples. All of a tile is in the cache while what
// moved is added to its residual and the gradients of the next columns are summed.
// Letters: u changes of margins, and those of tile_products.hpp.
#pragma once
#include "tile_products.hpp"

namespace proxstep::cpu {
namespace {

// One tile of a column in double. The next one is asked for, as columns come from far: by the last
// element of each line's length, as columns seldom begin where lines do.
template <class T>
void widen(const T* from, double factor, double centre, int64_t count, double* to) {
  constexpr int64_t kLine = 64 / int64_t(sizeof(T));
  for (int64_t s = kLine - 1; s < count; s += kLine) __builtin_prefetch(from + kTileSamples + s);
  for (int64_t s = 0; s < count; ++s) to[s] = double(from[s]) * factor - centre;
}

// One tile of the block, 0 behind the samples and the columns.
template <class T>
void widen(const RowBlock& block, int64_t rows, int64_t tile, double* to) {
  for (int64_t b = 0; b < rows; ++b, to += kTileSamples) {
    const Column none{};
    const Column& column = b < block.count ? block.columns[b] : none;
    const T* const values = static_cast<const T*>(column.values);
    const int64_t begin = tile * kTileSamples, left = column.count - begin;
    const int64_t count = left < 0 ? 0 : left < kTileSamples ? left : kTileSamples;
    if (values) widen(values + begin, column.factor, block.centres[b], count, to);
    for (int64_t s = 0; !values && s < count; ++s) to[s] = 1.0;
    for (int64_t s = count; s < kTileSamples; ++s) to[s] = 0.0;
  }
}

// r += share (diag(p + ridge) - p p') u, or share u, for as many samples as a vector has.
inline void bend(const SampleRows& at, int64_t from, int64_t samples, const double* u,
                 int64_t apart) {
  const Wide share = vector(at.shares + samples);
  const int64_t k = at.width;
  double* const r = at.residual + from;
  if (!at.p) {
    for (int64_t c = 0; c < k; ++c) vector(r + c * kTileSamples) += share * vector(u + c * apart);
    return;
  }
  const double* const p = at.p + from;
  const double ridge = at.ridge;
  Wide mean = {};
  for (int64_t c = 0; c < k; ++c) mean += vector(p + c * kTileSamples) * vector(u + c * apart);
  for (int64_t c = 0; c < k; ++c) {
    const Wide own = vector(u + c * apart);
    vector(r + c * kTileSamples) +=
        share * (vector(p + c * kTileSamples) * (own - mean) + ridge * own);
  }
}

// Changes of the margins of these samples, by M columns that moved.
template <int M>
inline void combine(const Wide (&x)[M], const double* d, int64_t k, int64_t c, Wide* u) {
  Wide sum = x[0] * d[c];
  for (int b = 1; b < M; ++b) sum += x[b] * d[b * k + c];
  *u = sum;
}

// The tile's residual follows; x has the columns one behind the other.
template <int M>
void follow(const SampleRows& at, int64_t tile, const double* x, const double* d, double* u) {
  const int64_t k = at.width;
  for (int64_t s = 0; s < kTileSamples; s += kWide) {
    Wide values[M], sum;
    for (int b = 0; b < M; ++b) values[b] = vector(x + b * kTileSamples + s);
    const int64_t from = tile * kTileSamples * k + s;
    const Wide share = vector(at.shares + tile * kTileSamples + s);
    for (int64_t c = 0; !at.p && c < k; ++c) {
      combine(values, d, k, c, &sum);
      vector(at.residual + from + c * kTileSamples) += share * sum;
    }
    if (!at.p) continue;
    for (int64_t c = 0; c < k; ++c) {
      combine(values, d, k, c, &sum);
      vector(u + c * kWide) = sum;
    }
    bend(at, from, tile * kTileSamples + s, u, kWide);
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
  double* const sums = scratch + k * kParts;
  double x[kBlockRows * kTileSamples];
  clear(sums, rows * k);
  for (int64_t tile = begin; tile < end; ++tile) {
    if (step.moved.count) follow_block<T>(step, at, tile, scratch);
    widen<T>(step.wanted, rows, tile, x);
    for (int64_t j = 0; j < rows; j += kQuad) {
      add_products(x + j * kTileSamples, at.residual + tile * kTileSamples * k,
                   sums + j * k * kParts, k);
    }
  }
  fold_all(sums, step.wanted.count * k, g);
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
                   scratch + pair * outputs * kParts, outputs);
    }
  }
  fold_all(scratch, kPairs * outputs, h);
}

void follow_margins(const SampleRows& at, const double* margins, int64_t begin, int64_t end) {
  for (int64_t tile = begin; tile < end; ++tile) {
    for (int64_t s = 0; s < kTileSamples; s += kWide) {
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
