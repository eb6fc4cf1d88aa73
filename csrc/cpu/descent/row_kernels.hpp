// The loops of descent on rows of x. Sparse columns go one by one over their samples, all outputs
// of a sample at a time: arrays are n x width, width a multiple of kPad, what pads the outputs is
// 0. Dense ones go in blocks over tiles of samples: arrays have the outputs of a tile one behind
// the other, kTileSamples samples each, and what pads the last tile is 0.
#pragma once
#include <cstdint>

#include "kernels.hpp"

namespace proxstep::cpu {

constexpr std::int64_t kPad = 4;
constexpr std::int64_t kTileSamples = 64;
constexpr std::int64_t kBlockRows = 8;
constexpr std::int64_t kPairs = kBlockRows * (kBlockRows + 1) / 2;

// The Hessian of sample i by its margins is share_i (diag(p_i + ridge) - p_i p_i'), without p
// share_i times one.
struct SampleRows {
  std::int64_t width;    // of a sample; in tiles the outputs
  const double* shares;  // n
  const double* p;       // null: squared error
  double ridge;
  double* residual;  // first derivatives, of the quadratic model
};

// Of one storage type and, where sparse, one index type.
struct RowLoops {
  // g = sum_i x_i residual_i
  void (*gradient)(const Column&, std::int64_t width, const double* residual, double* g);
  // The residual follows a change d of the row of x.
  void (*change)(const Column&, const SampleRows&, const double* d);
  // h = sum_i x_i^2 bend_i
  void (*curvature)(const Column&, std::int64_t width, const double* bend, double* h);
};

// Some columns of a dense X, from which their centres are subtracted; ones where they have no
// values.
struct RowBlock {
  Column columns[kBlockRows];
  double centres[kBlockRows] = {};
  std::int64_t count = 0;
};

struct BlockStep {
  RowBlock moved;
  const double* change;  // of the moved rows: kBlockRows x outputs, 0 behind their count
  RowBlock wanted;
};

constexpr std::int64_t kStepScratch = 8 * (kBlockRows + 1);  // doubles an output
constexpr std::int64_t kCurvatureScratch = 8 * kPairs;

// Of one storage type; the work is over tiles begin to end.
struct TileLoops {
  // The residual follows what moved; then g = X' residual for the wanted columns, row by row.
  void (*step)(const BlockStep&, const SampleRows&, std::int64_t begin, std::int64_t end,
               double* scratch, double* g);
  // h = sum_i x_ij x_ik bend_i for the pairs k <= j of the block, (0, 0), (1, 0), (1, 1), ...
  void (*curvature)(const RowBlock&, std::int64_t outputs, const double* bend, std::int64_t tiles,
                    double* scratch, double* h);
};

struct RowTable {
  RowLoops ones;          // a dense column of float64
  RowLoops sparse[2][2];  // float64, float32; by index type: int32, int64
  TileLoops dense[2];
  // Sums over n samples, of width outputs and their pairs: diag(share_i (p_i + ridge)) and
  // share_i p_i p_i'. Both are set.
  void (*bend)(const SampleRows&, std::int64_t n, double* diagonal, double* squares);
  // The residual follows a change of the margins, over tiles begin to end.
  void (*follow)(const SampleRows&, const double* margins, std::int64_t begin, std::int64_t end);
};

}  // namespace proxstep::cpu
