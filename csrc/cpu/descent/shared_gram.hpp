// X' H X over sparse columns whose entries are all one number, such as the indicators of a
// category: sums of H over the samples that two columns share.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "columns.hpp"

namespace proxstep::cpu {

class SharedGram {
 public:
  // None where the entries of a column differ. The columns have to stay.
  static std::optional<SharedGram> of(const Columns& columns);

  // The rows from columns[first] on; of those among each other one half, the other is 0.
  std::vector<double> from(std::int64_t first, const double* h) const;

 private:
  SharedGram(const Columns& columns, std::vector<double> values);
  void add_row(std::int64_t rank, std::int64_t first, const double* h, double* gram) const;
  std::int64_t count() const { return columns_->count(); }

  const Columns* columns_;
  std::vector<double> values_;        // of the columns
  std::vector<std::int64_t> ranked_;  // places of the columns, those with most entries first
  std::vector<std::uint64_t> words_;  // of kWordBits ranks for all samples, then of the next
};

}  // namespace proxstep::cpu
