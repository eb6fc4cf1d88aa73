// Many small least-squares problems with one penalty: each is minimised on its Gram matrix, which
// all share where X is shared. A fit depends on nothing but its own data.
#pragma once
#include <cstdint>
#include <optional>

#include "../../array.hpp"
#include "centred.hpp"
#include "small_fit.hpp"

namespace proxstep::cpu {

struct ManySquares {
  Array X;                         // (n, p) for all fits, or (fits, n, p); any strides
  const double* Y = nullptr;       // (fits, n)
  const double* shares = nullptr;  // n, with sum 1; null: equal ones
  bool intercept = false;
};

class ManyFits {
 public:
  explicit ManyFits(const ManySquares& squares);
  ManyFits(const ManyFits&) = delete;  // parts of it refer to each other
  void run(const ManyRun& run) const;
  std::int64_t slab() const;  // fits that take a thread some milliseconds

 private:
  class Part;
  std::int64_t fits_of(double work, std::int64_t most) const;
  ManySquares squares_;
  SampleShares samples_;
  std::int64_t p_;
  std::optional<Centred> shared_;
};

}  // namespace proxstep::cpu
