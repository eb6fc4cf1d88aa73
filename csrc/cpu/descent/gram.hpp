// X' H X over chosen columns, with sums whose order does not depend on threads. A dense X is read
// in tiles where it lies, whatever its order.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "columns.hpp"
#include "sample_entries.hpp"
#include "shared_gram.hpp"

namespace proxstep::cpu {

constexpr double kConstant = 0x1p-44;  // a centred square below this share is rounding

// Of one H after the other.
class GramRows {
 public:
  GramRows(const Matrix& X, std::vector<std::int64_t> columns);
  explicit GramRows(const Columns& columns);  // which have to stay
  GramRows(const GramRows&) = delete;         // its parts point to one another
  GramRows& operator=(const GramRows&) = delete;

  // The rows of X' H X that belong to columns[first], columns[first + 1], ..., against all columns.
  std::vector<double> from(std::int64_t first, const double* h) const;

 private:
  void take_sparse(const Columns& columns);

  Matrix X_;
  std::vector<std::int64_t> columns_;
  std::optional<Columns> own_;
  std::optional<SharedGram> shared_;
  std::optional<SampleEntries> entries_;
};

// X_c' H X_c of all columns of a dense X, in float64, with the shares of the samples (null: all the
// same) and these means of its columns (null: zeros). Unfinished where it is interrupted.
void gram_of_columns(const Matrix& X, const double* shares, const double* means, double* out,
                     const std::function<bool()>& interrupted);

// Of a square matrix with so long sides, some rows and the same columns.
std::vector<double> square_part(const double* matrix, std::int64_t side,
                                const std::vector<std::int64_t>& places);

}  // namespace proxstep::cpu
