// Layer norm of a row without an offset (Ba, Kiros and Hinton 2016, equation 4): y = gain u with
// u = (x - mean) scale. The caller supplies means.
#pragma once
#include "scalar.hpp"

namespace proxstep::op {

constexpr double kNormEpsilon = 1e-5;

template <class T>
PROXSTEP_FN T norm_scale(T variance) {
  return T(1) / square_root(variance + T(kNormEpsilon));
}

// dx of one element, where g = gain dy, mean = mean(g) and along = mean(g u).
template <class T>
PROXSTEP_FN T norm_slope(T g, T u, T scale, T mean, T along) {
  return scale * (g - mean - u * along);
}

}  // namespace proxstep::op
