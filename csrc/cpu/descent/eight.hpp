// Eight partial sums at once; the compiler splits the vector where the processor's are shorter, so
// that the order of additions never depends on it.
#pragma once

namespace proxstep::cpu {
namespace {

typedef double Eight __attribute__((vector_size(64)));
typedef double LooseEight __attribute__((vector_size(64), aligned(8), may_alias));

inline double fold(const Eight& v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

}  // namespace
}  // namespace proxstep::cpu
