// Which x86-64 levels this processor and its operating system support.
#pragma once
#if defined(__x86_64__)
#include <cpuid.h>

namespace proxstep::cpu {

struct Features {
  bool v2 = false;  // SSE4.2, POPCNT
  bool v3 = false;  // AVX2, FMA, F16C, BMI1, BMI2, MOVBE
  bool v4 = false;  // AVX-512 F, BW, CD, DQ, VL
};

struct CpuidRegisters {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

inline CpuidRegisters cpuid(unsigned leaf) {
  CpuidRegisters r;
  __cpuid_count(leaf, 0, r.a, r.b, r.c, r.d);
  return r;
}

// The register files that the operating system saves at a context switch.
inline unsigned saved_registers() {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

inline Features detect_features() {
  const auto all = [](unsigned word, unsigned mask) { return (word & mask) == mask; };
  Features f;
  const unsigned last_leaf = cpuid(0).a;
  const unsigned basic = cpuid(1).c;
  f.v2 = all(basic, bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT);
  if (last_leaf < 7 || !all(basic, bit_OSXSAVE | bit_AVX)) return f;
  const unsigned saved = saved_registers(), extended = cpuid(7).b;
  f.v3 = f.v2 && all(saved, 0x6) && all(basic, bit_FMA | bit_F16C | bit_MOVBE) &&
         all(extended, bit_BMI | bit_AVX2 | bit_BMI2);
  f.v4 = f.v3 && all(saved, 0xe6) &&
         all(extended, bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL);
  return f;
}

}  // namespace proxstep::cpu
#endif
