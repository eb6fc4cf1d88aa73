// X' H X over chosen columns, in fixed chunks of samples whose sums are added in their order. A
// dense X is read in tiles where it lies, whatever its order.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "columns.hpp"

namespace proxstep::cpu {

constexpr double kConstant = 0x1p-44;  // a centred square below this share is rounding

// The entries of chosen columns of a sparse X, by their samples.
struct SampleEntries {
  explicit SampleEntries(const Columns& columns);
  struct Entry {
    std::int32_t place;
    double value;
  };
  std::vector<std::int64_t> starts;
  std::vector<Entry> entries;
};

// Of one H after the other.
class GramRows {
 public:
  GramRows(const Matrix& X, std::vector<std::int64_t> columns);

  // The rows of X' H X that belong to columns[first], columns[first + 1], ..., against all columns.
  std::vector<double> from(std::int64_t first, const double* h) const;

 private:
  Matrix X_;
  std::vector<std::int64_t> columns_;
  std::optional<SampleEntries> entries_;
};

// Of a square matrix with so long sides, some rows and the same columns.
std::vector<double> square_part(const double* matrix, std::int64_t side,
                                const std::vector<std::int64_t>& places);

}  // namespace proxstep::cpu
