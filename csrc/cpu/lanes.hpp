// Sums over fixed lanes: the order of additions does not depend on the vector width.
#pragma once
#include <cstdint>

#include "kernels.hpp"

namespace proxstep::cpu {

// Constant trip counts into fresh arrays: a loop that halves in place stays a loop in GCC 12.
template <class T, class Combine>
inline __attribute__((always_inline)) T fold_lanes(const T (&a)[kLanes], const Combine& combine) {
  T b[8], c[4];
  for (int lane = 0; lane < 8; ++lane) b[lane] = combine(a[lane], a[lane + 8]);
  for (int lane = 0; lane < 4; ++lane) c[lane] = combine(b[lane], b[lane + 4]);
  return combine(combine(c[0], c[2]), combine(c[1], c[3]));
}
template <class T>
inline __attribute__((always_inline)) T fold_lanes(const T (&a)[kLanes]) {
  return fold_lanes(a, [](T left, T right) { return left + right; });
}

// Where more terms come after these, n is a multiple of kLanes.
template <class T, class Term>
inline __attribute__((always_inline)) void add_to_lanes(T (&to)[kLanes], std::int64_t n,
                                                        const Term& term) {
  T sum[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) sum[lane] = to[lane];
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) sum[lane] += term(i + lane);
  }
  for (int lane = 0; i < n; ++i, ++lane) sum[lane] += term(i);
  for (int lane = 0; lane < kLanes; ++lane) to[lane] = sum[lane];
}

template <class T = double, class Term>
inline __attribute__((always_inline)) T lane_sum(std::int64_t n, const Term& term) {
  T sum[kLanes] = {};
  add_to_lanes(sum, n, term);
  return fold_lanes(sum);
}

}  // namespace proxstep::cpu
