// X_c' H X_c over chosen columns of a dense X, which is read where it lies, in tiles of samples.
// Every sum goes over the samples in their order, whatever the threads.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "../../matrix.hpp"

namespace proxstep::cpu {

// What is asked for: the last columns, from place `from` on, against all of them.
struct WantedGram {
  const Matrix& X;  // without its factors
  const std::vector<std::int64_t>& columns;
  std::int64_t from;
  const double* h;
  const double* means = nullptr;  // of all columns of X; null: zeros
  std::int64_t count() const { return static_cast<std::int64_t>(columns.size()); }
  std::int64_t rows() const { return count() - from; }
};

class DenseGram {
 public:
  explicit DenseGram(const WantedGram& wanted);

  // Adds what some samples give to g, row by row, on and left of the diagonal (of parts above it
  // as well), but for `factor`. Ends early where it is interrupted.
  void add(std::int64_t begin, std::int64_t end, double* g,
           const std::function<bool()>& interrupted) const;

  double factor() const { return flat_ ? *wanted_.h : 1.0; }

 private:
  struct Panels;
  void add_panel(const Panels& panels, std::int64_t panel, double* g) const;
  void add_block(const Panels& panels, std::int64_t row, std::int64_t column, double* g) const;

  const WantedGram& wanted_;
  bool flat_;  // h is the same for all samples
};

// A wanted matrix of which one half was summed, times the factor.
void finish_gram(const WantedGram& wanted, double factor, double* g);

}  // namespace proxstep::cpu
