// exp and log from + - * / and bit operations: no libm, no FMA, no branch, so every processor and
// every vector width gives the same bits. Within 1.5 units in the last place on the ranges stated.
//   exp: x = n ln 2 + r with ln 2 in two parts, e^r by a polynomial (Cody and Waite, Software
//   Manual
//        for the Elementary Functions, 1980, ch. 6)
//   log: x = 2^n (1 + f), s = f / (2 + f), log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), the odd
//        series of 2 atanh(s) (Tang, ACM TOMS 16(4), 1990; the arrangement of fdlibm's e_log.c)
// The polynomials are minimax fits by Remez exchange on |r| <= ln(2)/2 and |f| <= sqrt(2) - 1;
// their relative errors are 2^-28 and 2^-37 for float, 2^-57 and 2^-59 for double.
#pragma once
#include "scalar.hpp"

namespace proxstep::op {

template <class T>
struct Format;
template <>
struct Format<float> {
  using Word = unsigned int;
  static constexpr int mantissa_bits = 23;
  static constexpr Word bias = 127;
  static constexpr float integer_grid =
      0x1.8p23f;  // adding it rounds to an integer, in the low bits
  static constexpr float log2_e = 0x1.715476p0f;
  static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float log_smallest = -0x1.5d589ep6f;  // ln of the smallest normal number
  static constexpr float log_largest = 0x1.62e42ep6f;    // ln of the largest, rounded down
  static constexpr float lowest = -0x1.fffffep127f;
};
template <>
struct Format<double> {
  using Word = unsigned long long;
  static constexpr int mantissa_bits = 52;
  static constexpr Word bias = 1023;
  static constexpr double integer_grid = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
  static constexpr double log_smallest = -0x1.6232bdd7abcd2p9;
  static constexpr double log_largest = 0x1.62e42fefa39efp9;
  static constexpr double lowest = -0x1.fffffffffffffp1023;
};

// (e^r - 1 - r) / r^2
PROXSTEP_FN float exp_remainder(float r) {
  float q = 1.3837553e-3f;
  q = q * r + 8.3691875e-3f;
  q = q * r + 4.1668121e-2f;
  q = q * r + 1.6666517e-1f;
  return q * r + 4.9999994e-1f;
}
PROXSTEP_FN double exp_remainder(double r) {
  double q = 2.5041372151804055e-8;
  q = q * r + 2.7631353610925496e-7;
  q = q * r + 2.7557471357780157e-6;
  q = q * r + 2.4801490148506558e-5;
  q = q * r + 1.9841269617433318e-4;
  q = q * r + 1.3888888946316673e-3;
  q = q * r + 8.3333333334518217e-3;
  q = q * r + 4.1666666666520633e-2;
  q = q * r + 1.6666666666666465e-1;
  return q * r + 5.0000000000000117e-1;
}

// e^x = significand 2^n; the low bits of the word hold n + bias.
template <class T>
struct ExpParts {
  T significand;
  typename Format<T>::Word exponent;
};
template <class T>
PROXSTEP_FN ExpParts<T> exp_parts(T x) {
  using F = Format<T>;
  const T grid = F::integer_grid + T(F::bias);
  const T shifted = x * F::log2_e + grid;
  const T n = shifted - grid;
  const T r = (x - n * F::ln2_high) - n * F::ln2_low;
  return {T(1) + (r + r * r * exp_remainder(r)), bit_cast<typename F::Word>(shifted)};
}
template <class T>
PROXSTEP_FN T power_of_two(typename Format<T>::Word exponent) {
  return bit_cast<T>(exponent << Format<T>::mantissa_bits);
}

// e^x for x <= 0 and NaN. Below the smallest normal number it is zero: subnormal numbers are slow,
// and beside the 1 that every softmax and logistic sum holds they are nothing.
template <class T>
PROXSTEP_FN T exp_nonpositive(T x) {
  const ExpParts<T> e = exp_parts(x);
  return x < Format<T>::log_smallest ? T(0) : e.significand * power_of_two<T>(e.exponent);
}

// e^x for every x: zero below the smallest normal number, infinity above the largest. Where x > 0
// one doubling comes last: 2^n itself may be too large.
template <class T>
PROXSTEP_FN T exp(T x) {
  using Word = typename Format<T>::Word;
  const ExpParts<T> e = exp_parts(x);
  const bool rises = x > T(0);
  const T half = e.significand * power_of_two<T>(e.exponent - Word(rises));
  const T finite = rises ? half + half : half;
  return x > Format<T>::log_largest ? infinity<T>() : (x < Format<T>::log_smallest ? T(0) : finite);
}

// (2 atanh(s) - 2 s) / s as a polynomial in s^2
PROXSTEP_FN float log_remainder(float s2) {
  float q = 2.3583569e-1f;
  q = q * s2 + 2.8537238e-1f;
  q = q * s2 + 4.0000337e-1f;
  q = q * s2 + 6.6666666e-1f;
  return q * s2;
}
PROXSTEP_FN double log_remainder(double s2) {
  double q = 1.4797506014137496e-1;
  q = q * s2 + 1.5313903407918299e-1;
  q = q * s2 + 1.8183569733959545e-1;
  q = q * s2 + 2.2222198476086204e-1;
  q = q * s2 + 2.8571428743261888e-1;
  q = q * s2 + 3.9999999999411095e-1;
  q = q * s2 + 6.6666666666667349e-1;
  return q * s2;
}

// n ln 2 + log(1 + f) for |f| <= sqrt(2) - 1
template <class T>
PROXSTEP_FN T log_of_parts(T n, T f) {
  using F = Format<T>;
  const T s = f / (T(2) + f);
  const T half_square = T(0.5) * f * f;
  const T correction = s * (half_square + log_remainder(s * s)) + n * F::ln2_low;
  return n * F::ln2_high - ((half_square - correction) - f);
}

// log x for normal x > 0; -infinity at 0, infinity at infinity, NaN otherwise.
template <class T>
PROXSTEP_FN T log(T x) {
  using F = Format<T>;
  using Word = typename F::Word;
  const Word word = bit_cast<Word>(x);
  const Word sqrt_half = bit_cast<Word>(T(0.70710678118654752));
  const Word offset = F::bias + 1;  // keeps the exponent positive: its shift need not know the sign
  const Word exponent = (word - sqrt_half + (offset << F::mantissa_bits)) >> F::mantissa_bits;
  const Word whole = bit_cast<Word>(F::integer_grid);
  const T n = bit_cast<T>(whole + exponent) - (F::integer_grid + T(offset));
  const T f = bit_cast<T>(word - ((exponent - offset) << F::mantissa_bits)) - T(1);
  const T regular = x < infinity<T>() ? log_of_parts(n, f) : x;
  return x > T(0) ? regular : (x == T(0) ? -infinity<T>() : bit_cast<T>(~Word(0)));
}

// log(1 + z) for 0 <= z <= 1 and NaN, to full relative precision.
template <class T>
PROXSTEP_FN T log1p_unit(T z) {
  const bool halve = z > T(0.41421356237309505);
  return log_of_parts(halve ? T(1) : T(0), halve ? T(0.5) * (z - T(1)) : z);
}

}  // namespace proxstep::op
