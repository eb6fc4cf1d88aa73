// A small dense X with its means taken off and the roots of the samples' shares put on, in double,
// and its Gram matrix: what one least-squares problem, or all that share X, descend on.
#pragma once
#include <cstdint>
#include <vector>

#include "../../array.hpp"

namespace proxstep::cpu {

// The samples' shares, with sum 1, and whether means are taken off.
struct SampleShares {
  SampleShares(const double* given, std::int64_t n, bool intercept);  // null: equal ones

  // In place; what was taken off is returned.
  double centre(double* values) const;

  std::int64_t n, rows;  // rows: n rounded up to whole lanes, the rest is 0
  bool intercept;
  std::vector<double> shares, roots;
};

class Centred {
 public:
  Centred(const SampleShares& samples, std::int64_t p);  // of zeros
  void take(const Array& X);                             // (n, p), in any strides

  std::int64_t count() const { return count_; }        // columns of the Gram matrix,
  const double* gram() const { return gram_.data(); }  // those behind p being 0
  double mean(std::int64_t j) const { return means_[j]; }
  double largest() const;                              // mean square of a column
  std::vector<double> adjoint(const double* y) const;  // X'y, of `count` entries

 private:
  void fill_gram();
  void still_constants();
  const SampleShares& samples_;
  std::int64_t rows_, p_, count_;
  std::vector<double> values_, means_, gram_;  // values: by columns, `rows` apart
};

}  // namespace proxstep::cpu
