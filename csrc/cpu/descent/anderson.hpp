// Anderson acceleration: the combination of the last iterates whose residuals cancel best (Bertrand
// and Massias, Anderson acceleration of coordinate descent, AISTATS 2021).
#pragma once
#include <cstddef>
#include <vector>

#include "anderson_weights.hpp"

namespace proxstep::cpu {

class Anderson {
 public:
  // Takes an iterate; true where `candidate` is a point worth trying.
  bool push(const std::vector<double>& x);
  const std::vector<double>& candidate() const { return candidate_; }
  void restart() { iterates_.clear(); }

 private:
  bool combine();
  std::vector<std::vector<double>> iterates_;
  std::vector<double> candidate_;
};

}  // namespace proxstep::cpu
