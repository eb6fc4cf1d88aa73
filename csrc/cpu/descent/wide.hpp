// The processor's own vectors of doubles, which wider ones would leave for memory, and sums in
// eight partial ones, whose bits therefore do not depend on them.
#pragma once
#include <cstdint>

namespace proxstep::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int kWide = 8;
#elif defined(__AVX__)
constexpr int kWide = 4;
#else
constexpr int kWide = 2;
#endif
constexpr int kHeld = kWide == 8 ? 4 : 2;  // sums that, times four, stay in registers
constexpr std::int64_t kParts = 8;         // of a sum

typedef double Wide __attribute__((vector_size(8 * kWide), aligned(8), may_alias));

inline const Wide& wide(const double* at) { return *reinterpret_cast<const Wide*>(at); }
inline Wide& wide(double* at) { return *reinterpret_cast<Wide*>(at); }

inline double fold(const double* parts) {
  return ((parts[0] + parts[4]) + (parts[2] + parts[6])) +
         ((parts[1] + parts[5]) + (parts[3] + parts[7]));
}

}  // namespace
}  // namespace proxstep::cpu
