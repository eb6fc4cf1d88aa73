// Stochastic rounding to 16 bits: up with the probability of the fraction that is cut off, so that
// the mean is the value. What 16 bits hold stays as it is: zeros, infinities, NaN.
// The random bits are a function of (seed, step, array, purpose, element) and of nothing else: no
// state, and the same for every instruction set, thread count and order of work.
#pragma once
#include "scalar.hpp"

namespace proxstep::op {

// Which rounding of an element its bits are for. Two moments share one word, half each.
enum class Purpose : unsigned int { parameter, moments };

// What the bits of one array in one step depend on.
struct RandomStream {
  unsigned long long seed = 0, step = 0, array = 0;
};

// For elements whose indices agree in all but the low 32 bits.
struct RandomKey {
  unsigned int first, second;
};

// Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014 (variant 13).
PROXSTEP_FN unsigned long long mixed(unsigned long long v) {
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ull;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebull;
  return v ^ (v >> 31);
}
PROXSTEP_FN RandomKey random_key(const RandomStream& s, Purpose purpose, unsigned long long index) {
  const unsigned long long golden = 0x9e3779b97f4a7c15ull;
  unsigned long long v = mixed(s.seed + golden);
  v = mixed((v ^ s.step) + golden);
  v = mixed((v ^ s.array) + golden);
  v = mixed((v ^ ((index >> 32) << 1 | static_cast<unsigned int>(purpose))) + golden);
  return {static_cast<unsigned int>(v), static_cast<unsigned int>(v >> 32)};
}

// A Weyl sequence, which a loop steps by one addition, and one round of multiply and shift
// (constants: Knuth, TAOCP 3, 6.4; Wellons, hash prospector). The second key makes the words of two
// steps different ones; with the first alone they would be the same in another order.
class RandomBits {
 public:
  PROXSTEP_FN RandomBits(RandomKey key, unsigned int index)
      : weyl_(index * 0x9e3779b9u + key.first), key_(key.second) {}
  PROXSTEP_FN unsigned int operator*() const {
    const unsigned int v = ((weyl_ ^ (weyl_ >> 15)) + key_) * 0x846ca68bu;
    return v ^ (v >> 16);
  }
  PROXSTEP_FN void operator++() { weyl_ += 0x9e3779b9u; }

 private:
  unsigned int weyl_, key_;
};

// Rounded by the upper 16 random bits. Adding to the bits of a float moves its magnitude; what is
// above the largest finite number may become infinite. A NaN must come from arithmetic, which sets
// an upper bit of it.
PROXSTEP_FN bfloat16 round_bfloat16(float v, unsigned int bits) {
  const unsigned int noise = v == v ? bits >> 16 : 0u;
  return {static_cast<unsigned short>((bit_cast<unsigned int>(v) + noise) >> 16)};
}

// Stores the moment in that slot: as it is, or rounded by its half of a word.
template <class T>
PROXSTEP_FN void store_moment(T* to, T v, unsigned int, int) {
  *to = v;
}
PROXSTEP_FN void store_moment(bfloat16* to, float v, unsigned int bits, int slot) {
  *to = round_bfloat16(v, bits << (16 - 16 * slot));
}

// Rounded by the upper 13 random bits, 20 where v is subnormal.
PROXSTEP_FN float16 round_float16(float v, unsigned int bits) {
  const unsigned int u = bit_cast<unsigned int>(v);
  const unsigned int sign = (u >> 16) & 0x8000u;
  const unsigned int a = u & 0x7fffffffu;
  // Below 2^-14 the grid is 2^-24: fixed point with 20 more binary places.
  const float small = least(bit_cast<float>(a), 0x1p-14f);
  const unsigned int fixed = static_cast<unsigned int>(static_cast<int>(small * 0x1p44f));
  const unsigned int subnormal = (fixed + (bits >> 12)) >> 20;
  const unsigned int normal = (a - 0x38000000u + (bits >> 19)) >> 13;
  const unsigned int special = a > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const unsigned int finite = a < 0x38800000u ? subnormal : normal;
  return {static_cast<unsigned short>(sign | (a >= 0x47800000u ? special : finite))};
}

}  // namespace proxstep::op
