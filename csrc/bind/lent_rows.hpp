// What native solvers borrow beside X: plain arrays, one row a sample, column or fit.
#pragma once
#include "borrowed.hpp"

namespace proxstep::bind {

constexpr std::int64_t kOneAxis = -1;

// Refuses all but this dtype, in C order, of shape (rows, columns) or, for kOneAxis, (rows,).
void check_rows_anywhere(const Borrowed& b, DType dtype, std::int64_t rows, std::int64_t columns);
// The same, on the host.
void check_rows_of(const Borrowed& b, DType dtype, std::int64_t rows, std::int64_t columns);

// One float64 a row; null for None. The pointer lives as long as borrowed.
const double* lent_vector(py::handle object, const char* name, std::int64_t rows,
                          Borrowed* borrowed);

}  // namespace proxstep::bind
