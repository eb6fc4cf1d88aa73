// The loops of descent on rows of x: over the samples of one column of X, all outputs at a time.
// Arrays of samples are n x width, width a multiple of kPad: what pads the outputs is 0.
#pragma once
#include <cstdint>

#include "kernels.hpp"

namespace proxstep::cpu {

constexpr std::int64_t kPad = 4;

// The Hessian of sample i by its margins is share_i (diag(p_i + ridge) - p_i p_i'), without p
// share_i times one.
struct SampleRows {
  std::int64_t width;
  const double* shares;  // n
  const double* p;       // null: squared error
  double ridge;
  double* residual;  // first derivatives, of the quadratic model
};

// Of one storage type and, where sparse, one index type; the centre is subtracted of dense X only.
struct RowLoops {
  // g = sum_i x_i residual_i
  void (*gradient)(const Column&, double centre, std::int64_t width, const double* residual,
                   double* g);
  // The residual follows a change d of the row of x.
  void (*change)(const Column&, double centre, const SampleRows&, const double* d);
  // h = sum_i x_i^2 bend_i
  void (*curvature)(const Column&, double centre, std::int64_t width, const double* bend,
                    double* h);
};

struct RowTable {
  RowLoops dense[2];      // float64, float32
  RowLoops sparse[2][2];  // by index type: int32, int64
};

}  // namespace proxstep::cpu
