// The pointwise formulas of the losses. One struct per loss of one margin u and one target t:
//   at(u, t)  value, slope and bend: the loss and its two derivatives by u; the bend is never
//             negative
//   least_bend  what a quadratic model takes where the bend is smaller: Huber's may vanish
// To add such a loss: write the struct, append it to Losses. Beside them the parts of the
// softmax cross-entropy, whose caller supplies maxima and sums.
// Softmax cross-entropy of a row x with targets t, where m = max x, S = sum e^(x - m), T = sum t:
//   loss = sum_j t_j (log S + m - x_j) = T log S + sum_j t_j (m - x_j)
//   gradient_j = T e^(x_j - m) / S - t_j
#pragma once
#include "math.hpp"

namespace proxstep::op {

constexpr int kMaxLossSettings = 1;

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
struct LossPoint {
  T value, slope, bend;
};

// log(1 + e^u) - t u for t in [0, 1].
// With q = 1 / (1 + e^|u|) and the wrong side's probability p = 1 - t where u > 0, else t:
// loss = p |u| + log(1 + e^-|u|), |gradient| = |p - q| and bend = q (1 - q). Nothing cancels, so
// that a saturated margin keeps all its digits.
template <class T>
PROXSTEP_FN LossPoint<T> logistic(T u, T t) {
  const T size = magnitude(u);
  const T e = exp_nonpositive(-size);
  const T p = u > T(0) ? T(1) - t : t;
  const T q = e / (T(1) + e);
  const T linear = p == T(0) ? T(0) : p * size;
  return {linear + log1p_unit(e), u > T(0) ? p - q : q - p, q / (T(1) + e)};
}

template <class T>
struct LogisticLoss {
  static constexpr const char* name = "logistic";
  static constexpr double least_bend = 0.0;
  static constexpr int settings = 0;
  PROXSTEP_FN explicit LogisticLoss(const double*) {}
  PROXSTEP_FN LossPoint<T> at(T u, T t) const { return logistic(u, t); }
};

// (u - t)^2 / 2
template <class T>
struct SquareLoss {
  static constexpr const char* name = "square";
  static constexpr double least_bend = 0.0;
  static constexpr int settings = 0;
  PROXSTEP_FN explicit SquareLoss(const double*) {}
  PROXSTEP_FN LossPoint<T> at(T u, T t) const {
    const T error = u - t;
    return {T(0.5) * error * error, error, T(1)};
  }
};

// Half the square of u - t up to delta, its tangent beyond (Huber, Robust estimation of a location
// parameter, Ann. Math. Stat. 35 (1964)).
template <class T>
struct HuberLoss {
  static constexpr const char* name = "huber";
  static constexpr double least_bend = 0.05;
  static constexpr int settings = 1;
  T delta;
  PROXSTEP_FN explicit HuberLoss(const double* c) : delta(T(c[0])) {}
  PROXSTEP_FN LossPoint<T> at(T u, T t) const {
    const T error = u - t;
    const T slope = error > delta ? delta : (error < -delta ? -delta : error);
    const T bend = magnitude(error) > delta ? T(0) : T(1);
    return {slope * (error - T(0.5) * slope), slope, bend};
  }
};

// Half the Poisson deviance of a count t >= 0 at the rate e^u: e^u - t u less its smallest value,
// t - t log t. With d = u - log t it is t (e^d - 1 - d), whose two first terms cancel for small d;
// there t d^2 times the remainder of the series keeps 14 digits.
template <class T>
struct PoissonLoss {
  static constexpr const char* name = "poisson";
  static constexpr double least_bend = 0.0;
  static constexpr int settings = 0;
  PROXSTEP_FN explicit PoissonLoss(const double*) {}
  PROXSTEP_FN LossPoint<T> at(T u, T t) const {
    const T rate = exp(u);
    const T slope = rate - t;
    const T d = u - log(t);
    const T apart = rate < infinity<T>() ? slope - t * d : rate;
    const T near = t * (d * d * exp_remainder(d));
    const T positive = magnitude(d) < T(0.34) ? near : apart;
    return {t == T(0) ? rate : positive, slope, rate};
  }
};

using Losses = List<SquareLoss, LogisticLoss, HuberLoss, PoissonLoss>;

}  // namespace proxstep::op
