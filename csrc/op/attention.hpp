// Scaled dot-product attention (Vaswani et al. 2017, equation 1), pair by pair: s = q k' /
// sqrt(width), p = e^(s - peak) inverse, and the gradient of s where along = sum_j p dp.
#pragma once
#include "math.hpp"

namespace proxstep::op {

template <class T>
PROXSTEP_FN T score_scale(T width) {
  return T(1) / square_root(width);
}

template <class T>
PROXSTEP_FN T probability(T score, T peak, T inverse) {
  return exp_nonpositive(score - peak) * inverse;
}

template <class T>
PROXSTEP_FN T score_gradient(T p, T dp, T along) {
  return p * (dp - along);
}

}  // namespace proxstep::op
