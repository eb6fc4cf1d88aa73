// Products of a design matrix on the host, in double. Work is cut by the data alone, so that the
// results do not depend on the number of threads. Input is checked by the caller.
#pragma once
#include "../matrix.hpp"

namespace proxstep::cpu {

// Those that take part, in any order; index null: all.
struct Chosen {
  const std::int64_t* index;
  std::int64_t count;
};

// out = X' residual; row j is that of the j-th column. outputs: columns of residual and out.
void adjoint(const Matrix& X, Chosen columns, std::int64_t outputs, const double* residual,
             double* out);

// margins += X x; row j of x belongs to the j-th column, and columns whose row is 0 are not read.
void add_product(const Matrix& X, Chosen columns, std::int64_t outputs, const double* x,
                 double* margins);

}  // namespace proxstep::cpu
