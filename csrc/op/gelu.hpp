// GELU, x Phi(x) (Hendrycks and Gimpel 2016), Phi being the normal distribution function.
#pragma once
#include "math.hpp"

namespace proxstep::op {

// The tanh form: y = x P(x) with P = (1 + tanh u) / 2 and u = sqrt(2/pi) (x + 0.044715 x^3). As
// P = 1 / (1 + e) with e = e^-2u, and 1 - P = e P, one exponential and one division do;
// dy/dx = P + x P (1 - P) 2u'. Within 4 units in the last place of the larger of the result and 1.
template <class T>
struct GeluGate {
  T x, e, gate;  // x within the limit; e and P there
};

// The limit keeps cubes and exponentials finite. Beyond it P is 1 by rounding, or 0 where it is
// less than 2^-95, as x may be any number. NaN stays NaN; at -infinity y is NaN.
template <class T>
PROXSTEP_FN GeluGate<T> gelu_gate(T x) {
  const T limit = T(9);
  const T c = least(limit, most(-limit, x));
  const T twice_u = c * (T(1.5957691216057308) + T(0.07135481627260025) * (c * c));
  const ExpParts<T> parts = exp_parts(-twice_u);
  const T e = parts.significand * power_of_two<T>(parts.exponent);
  const T gate = T(1) / (T(1) + e);
  return {c, e, x < -limit ? T(0) : gate};
}

template <class T>
PROXSTEP_FN T gelu(T x) {
  return x * gelu_gate(x).gate;
}

template <class T>
PROXSTEP_FN T gelu_slope(T x) {
  const GeluGate<T> g = gelu_gate(x);
  const T twice_slope = T(1.5957691216057308) + T(0.21406444881780076) * (g.x * g.x);
  return g.gate + (g.x * g.gate) * ((g.e * g.gate) * twice_slope);
}

}  // namespace proxstep::op
