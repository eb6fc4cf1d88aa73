// The rows of an operand that are not all zero: products read nothing for the others.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "product.hpp"

namespace proxstep::cpu {

inline bool is_zero(const double* row, std::int64_t outputs) {
  return std::all_of(row, row + outputs, [](double value) { return value == 0.0; });
}

// Rows that are not all zero: which columns or samples they belong to, and their values; the rows
// as they were given where none is zero.
class Nonzeros {
 public:
  Nonzeros(Chosen of, std::int64_t outputs, const double* rows) : of_(of), values_(rows) {
    for (std::int64_t k = 0; k < of.count; ++k) {
      if (!is_zero(rows + k * outputs, outputs)) own_index_.push_back(k);
    }
    if (count() < of.count) compress(outputs);
  }
  std::int64_t count() const { return static_cast<std::int64_t>(own_index_.size()); }
  const std::int64_t* index() const { return count() < of_.count ? own_index_.data() : of_.index; }
  const double* values() const { return values_; }

 private:
  void compress(std::int64_t outputs) {
    own_values_.reserve(count() * outputs);
    for (std::int64_t& k : own_index_) {
      own_values_.insert(own_values_.end(), values_ + k * outputs, values_ + (k + 1) * outputs);
      if (of_.index) k = of_.index[k];
    }
    values_ = own_values_.data();
  }
  Chosen of_;
  const double* values_;
  std::vector<std::int64_t> own_index_;
  std::vector<double> own_values_;
};

// x for all columns.
inline std::vector<double> spread_out(const Nonzeros& x, std::int64_t outputs, std::int64_t p) {
  std::vector<double> all(p * outputs);
  for (std::int64_t k = 0; k < x.count(); ++k) {
    const std::int64_t to = x.index() ? x.index()[k] : k;
    std::copy_n(x.values() + k * outputs, outputs, &all[to * outputs]);
  }
  return all;
}

}  // namespace proxstep::cpu
