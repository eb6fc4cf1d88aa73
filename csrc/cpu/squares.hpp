// Mean squares of the columns of X around their means, by the shares of the samples.
#pragma once
#include "../matrix.hpp"

namespace proxstep::cpu {

// X as it is stored, without factors. shares null: all the same; means null: around 0. An entry
// that is not stored is 0.
struct SquareJob {
  const double* shares;
  const double* means;
};

void mean_squares(const Matrix& X, const SquareJob& job, double* out);

}  // namespace proxstep::cpu
