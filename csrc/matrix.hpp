// The design matrix X as solvers read it: lent by its owner, in its own layout and storage type.
#pragma once
#include "array.hpp"

namespace proxstep {

struct Matrix {
  enum class Layout { columns, rows, csc, csr };  // dense in F or in C order, or sparse

  Layout layout = Layout::columns;
  DType dtype = DType::float64;  // of the values: float64 or float32
  DType index = DType::int32;    // of indices and starts: int32 or int64
  std::int64_t n = 0, p = 0;     // samples, features
  const void* values = nullptr;
  const void* indices = nullptr;    // sparse: increasing within each column (csc) or row (csr)
  const void* starts = nullptr;     // sparse: p + 1 (csc) or n + 1 (csr) of them
  const double* factors = nullptr;  // of the p columns, which products multiply by; null: ones

  double factor(std::int64_t j) const { return factors ? factors[j] : 1.0; }
  bool sparse() const { return layout == Layout::csc || layout == Layout::csr; }
};

}  // namespace proxstep
