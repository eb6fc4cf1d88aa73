// Scalar helpers shared by the CPU, nvcc and NVRTC builds.
// Only this file may mention host or device marks; nothing here depends on a library beyond sqrt.
#pragma once
#if !defined(__CUDACC_RTC__)
#include <math.h>
#include <string.h>
#endif

#if defined(__CUDACC__)
#define PROXSTEP_FN __host__ __device__ __forceinline__
#else
#define PROXSTEP_FN inline __attribute__((always_inline))
#endif

namespace proxstep::op {

// Both return b when a is NaN, like the x86 and CUDA select they compile to.
template <class T>
PROXSTEP_FN T least(T a, T b) {
  return a < b ? a : b;
}
template <class T>
PROXSTEP_FN T most(T a, T b) {
  return a > b ? a : b;
}
template <class T>
PROXSTEP_FN T magnitude(T x) {
  return x < T(0) ? -x : x;
}
template <class T>
PROXSTEP_FN T infinity() {
  return T(1) / T(0);  // NVRTC knows no other spelling
}
template <class T>
PROXSTEP_FN T zero_or_nan(T x) {
  return x == x ? T(0) : x;
}

PROXSTEP_FN float square_root(float x) { return sqrtf(x); }
PROXSTEP_FN double square_root(double x) { return sqrt(x); }

template <class To, class From>
PROXSTEP_FN To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

// Soft threshold as x - clamp(x, -t, t): no branch, exact zero inside, NaN stays NaN.
template <class T>
PROXSTEP_FN T soft(T x, T t) {
  return x - least(most(x, -t), t);
}

// Cube root of x >= 0 by a guess in the bits and Halley steps: the same bits on every processor,
// which a library's cbrt does not promise. Within 2 units in the last place for normal x.
PROXSTEP_FN float cube_root_guess(float x) {
  return bit_cast<float>(bit_cast<unsigned int>(x) / 3u + 709958130u);
}
PROXSTEP_FN double cube_root_guess(double x) {
  // The high word alone: a 64-bit division does not vectorise, and Halley triples the digits.
  const unsigned int high = static_cast<unsigned int>(bit_cast<unsigned long long>(x) >> 32);
  return bit_cast<double>(static_cast<unsigned long long>(high / 3u + 715094163u) << 32);
}
template <class T>
PROXSTEP_FN T cube_root(T x) {
  T y = cube_root_guess(x);
  for (int k = 0; k < (sizeof(T) == 4 ? 2 : 3); ++k) {
    const T ratio = y * y * (y / x);  // near 1, so nothing overflows
    y = y * ((ratio + T(2)) / (ratio + ratio + T(1)));
  }
  return x > T(0) && x < infinity<T>() ? y : x;
}

// 16-bit storage types. Arithmetic never happens in them.
struct bfloat16 {
  unsigned short bits;
};
struct float16 {
  unsigned short bits;
};

PROXSTEP_FN float to_float(bfloat16 v) {
  return bit_cast<float>(static_cast<unsigned int>(v.bits) << 16);
}
PROXSTEP_FN bfloat16 to_bfloat16(float v) {
  const unsigned int u = bit_cast<unsigned int>(v);
  const unsigned int nearest_even = u + 0x7fffu + ((u >> 16) & 1u);
  const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
  return {static_cast<unsigned short>(nan ? (u >> 16) | 0x40u : nearest_even >> 16)};
}

PROXSTEP_FN float to_float(float16 v) {
  const unsigned int sign = static_cast<unsigned int>(v.bits & 0x8000u) << 16;
  const unsigned int magnitude_bits = v.bits & 0x7fffu;
  // Subnormals go through an integer, so that flushing modes cannot touch them.
  const float subnormal = static_cast<float>(static_cast<int>(magnitude_bits)) * 0x1p-24f;
  const unsigned int rebias = magnitude_bits >= 0x7c00u ? 0x70000000u : 0x38000000u;
  const unsigned int normal = (magnitude_bits << 13) + rebias;
  const unsigned int bits = magnitude_bits < 0x400u ? bit_cast<unsigned int>(subnormal) : normal;
  return bit_cast<float>(bits | sign);
}
PROXSTEP_FN float16 to_float16(float v) {
  const unsigned int u = bit_cast<unsigned int>(v);
  const unsigned int sign = (u >> 16) & 0x8000u;
  const unsigned int a = u & 0x7fffffffu;
  // Adding one half aligns a small number's bits with float16's subnormal grid and rounds once.
  const unsigned int subnormal =
      bit_cast<unsigned int>(bit_cast<float>(a) + 0.5f) - bit_cast<unsigned int>(0.5f);
  const unsigned int normal = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
  const unsigned int special = a > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const unsigned int finite = a < 0x38800000u ? subnormal : normal;
  return {static_cast<unsigned short>(sign | (a >= 0x47800000u ? special : finite))};
}

// Storage type -> compute type and back.
template <class S>
struct Storage {
  using compute = S;
  static PROXSTEP_FN S load(S v) { return v; }
  static PROXSTEP_FN S pack(S v) { return v; }
};
template <>
struct Storage<bfloat16> {
  using compute = float;
  static PROXSTEP_FN float load(bfloat16 v) { return to_float(v); }
  static PROXSTEP_FN bfloat16 pack(float v) { return to_bfloat16(v); }
};
template <>
struct Storage<float16> {
  using compute = float;
  static PROXSTEP_FN float load(float16 v) { return to_float(v); }
  static PROXSTEP_FN float16 pack(float v) { return to_float16(v); }
};
template <class S>
using compute_t = typename Storage<S>::compute;

// A list of class templates: the registries of rules and penalties are two of these.
template <template <class> class... Members>
struct List {
  static constexpr int size = sizeof...(Members);
};
template <template <class> class M>
struct Member {
  template <class T>
  using of = M<T>;
};

// Calls run with the member of that index, none where it is out of range.
template <class Run, template <class> class... Members>
PROXSTEP_FN void with_member(List<Members...>, int index, const Run& run) {
  int k = 0;
  ((k++ == index ? run(Member<Members>{}) : void()), ...);
}

// The member of an index that is known to the compiler.
template <int index, class List>
struct MemberAt;
template <int index, template <class> class First, template <class> class... Rest>
struct MemberAt<index, List<First, Rest...>> : MemberAt<index - 1, List<Rest...>> {};
template <template <class> class First, template <class> class... Rest>
struct MemberAt<0, List<First, Rest...>> : Member<First> {};

}  // namespace proxstep::op
