// What the projections are on every device: integers in the order of an array's numbers, by whose
// digits elements are selected, and how an element follows from a threshold.
#pragma once
#include "scalar.hpp"

namespace proxstep::op {

// How many of n elements a density keeps: to the nearest integer, a half upwards.
PROXSTEP_FN long long share_of_elements(double density, long long n) {
  return static_cast<long long>(density * static_cast<double>(n) + 0.5);
}

template <class S>
struct Bits;
template <>
struct Bits<double> {
  using Word = unsigned long long;
  static constexpr Word infinity = 0x7ff0000000000000ull;
  static PROXSTEP_FN Word of(double x) { return bit_cast<Word>(x); }
  static PROXSTEP_FN double number(Word word) { return bit_cast<double>(word); }
};
template <>
struct Bits<float> {
  using Word = unsigned int;
  static constexpr Word infinity = 0x7f800000u;
  static PROXSTEP_FN Word of(float x) { return bit_cast<Word>(x); }
  static PROXSTEP_FN float number(Word word) { return bit_cast<float>(word); }
};
template <class S, unsigned int infinity_bits>
struct ShortBits {
  using Word = unsigned int;
  static constexpr Word infinity = infinity_bits;
  static PROXSTEP_FN Word of(S x) { return x.bits; }
  static PROXSTEP_FN S number(Word word) { return {static_cast<unsigned short>(word)}; }
};
template <>
struct Bits<bfloat16> : ShortBits<bfloat16, 0x7f80u> {};
template <>
struct Bits<float16> : ShortBits<float16, 0x7c00u> {};

template <class S>
using Key = typename Bits<S>::Word;
template <class S>
constexpr int kKeyBits = 8 * sizeof(S);
template <class S>
constexpr Key<S> kSign = Key<S>(1) << (kKeyBits<S> - 1);

// Keys in the order of magnitudes; every NaN has the one above infinity.
template <class S>
PROXSTEP_FN Key<S> size_key(S x) {
  return least<Key<S>>(Bits<S>::of(x) & (kSign<S> - 1), Bits<S>::infinity + 1);
}

// Keys in the order of numbers, and back.
template <class S>
PROXSTEP_FN Key<S> number_key(S x) {
  const Key<S> bits = Bits<S>::of(x), others = kSign<S> - 1;
  return bits & kSign<S> ? (bits ^ others) & others : bits | kSign<S>;
}
template <class S>
PROXSTEP_FN S key_number(Key<S> key) {
  const Key<S> others = kSign<S> - 1;
  return Bits<S>::number(key & kSign<S> ? key & others : (key ^ others) | kSign<S>);
}

// The l1 ball shrinks magnitudes, the simplex numbers.
PROXSTEP_FN double ball_size(bool l1, double z) { return l1 ? magnitude(z) : z; }

// An element of the projection; tau is relative to the largest size. NaN stays NaN.
PROXSTEP_FN double ball_element(bool l1, double z, double largest, double tau) {
  const double moved = ball_size(l1, z) - largest - tau;
  const double kept = moved < 0.0 ? 0.0 : moved;
  return l1 && z < 0.0 ? 0.0 - kept : kept;
}

}  // namespace proxstep::op
