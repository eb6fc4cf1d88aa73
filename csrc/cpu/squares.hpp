// Means of the columns of X, and mean squares around them, by the shares of the samples.
#pragma once
#include "../matrix.hpp"

namespace proxstep::cpu {

// X as it is stored, without factors. shares: their sum is 1, null: all the same; means null:
// around 0. An entry that is not stored is 0.
struct SquareJob {
  const double* shares;
  double* means;
};

// The means are found, too.
void mean_squares(const Matrix& X, const SquareJob& job, double* out);

}  // namespace proxstep::cpu
