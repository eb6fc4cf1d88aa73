// X' H X over chosen columns, in fixed chunks of samples whose sums are added in their order. A
// dense X is read in tiles where it lies, whatever its order.
#pragma once
#include <cstdint>
#include <vector>

#include "../../matrix.hpp"

namespace proxstep::cpu {

constexpr double kConstant = 0x1p-44;  // a centred square below this share is rounding

// The rows of X' H X that belong to columns[from], columns[from + 1], ..., against all columns.
std::vector<double> gram_rows(const Matrix& X, const std::vector<std::int64_t>& columns,
                              std::int64_t from, const double* h);

// Of a square matrix with so long sides, some rows and the same columns.
std::vector<double> square_part(const double* matrix, std::int64_t side,
                                const std::vector<std::int64_t>& places);

}  // namespace proxstep::cpu
