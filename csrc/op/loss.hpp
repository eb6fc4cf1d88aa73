// The pointwise formulas of the two losses. The caller supplies maxima and sums.
// Softmax cross-entropy of a row x with targets t, where m = max x, S = sum e^(x - m), T = sum t:
//   loss = sum_j t_j (log S + m - x_j) = T log S + sum_j t_j (m - x_j)
//   gradient_j = T e^(x_j - m) / S - t_j
// Logistic loss of a margin u with a target t in [0, 1]:
//   loss = log(1 + e^u) - t u,  gradient = 1 / (1 + e^-u) - t
#pragma once
#include "math.hpp"

namespace proxstep::op {

// t (m - x); a class of probability 0 costs nothing, even where x = -infinity masks it.
template <class T>
PROXSTEP_FN T cross_entropy_gap(T t, T x, T m) {
  return t == T(0) ? T(0) : t * (m - x);
}

template <class T>
PROXSTEP_FN T cross_entropy(T target_sum, T exp_sum, T gap) {
  return target_sum * log(exp_sum) + gap;
}

template <class T>
struct LogisticPoint {
  T value, slope;
};

// With q = 1 / (1 + e^|u|) and the wrong side's probability p = 1 - t where u > 0, else t:
// loss = p |u| + log(1 + e^-|u|) and |gradient| = |p - q|. Nothing cancels, so that a saturated
// margin keeps all its digits.
template <class T>
PROXSTEP_FN LogisticPoint<T> logistic(T u, T t) {
  const T size = magnitude(u);
  const T e = exp_nonpositive(-size);
  const T p = u > T(0) ? T(1) - t : t;
  const T q = e / (T(1) + e);
  const T linear = p == T(0) ? T(0) : p * size;
  return {linear + log1p_unit(e), u > T(0) ? p - q : q - p};
}

}  // namespace proxstep::op
