// Anderson acceleration: the combination of the last iterates whose residuals cancel best (Bertrand
// and Massias, Anderson acceleration of coordinate descent, AISTATS 2021).
#pragma once
#include <cstddef>
#include <vector>

#include "anderson_weights.hpp"

namespace proxstep::cpu {

class Anderson {
 public:
  // Takes an iterate; true where `candidate` is a point worth trying. What is affine in x may be
  // given with each iterate, and is then known of the candidate where its weights are not large.
  bool push(const std::vector<double>& x, const std::vector<double>* affine = nullptr);
  const std::vector<double>& candidate() const { return candidate_; }
  const std::vector<double>* candidate_affine() const {
    return candidate_affine_.empty() ? nullptr : &candidate_affine_;
  }
  void restart() { iterates_.clear(), affines_.clear(); }

 private:
  bool combine();
  std::vector<std::vector<double>> iterates_, affines_;
  std::vector<double> candidate_, candidate_affine_;
};

}  // namespace proxstep::cpu
