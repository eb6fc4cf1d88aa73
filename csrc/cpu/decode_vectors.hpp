// The processor's own vectors of either type.
#pragma once

namespace proxstep::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

typedef float Floats __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
typedef double Doubles __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));

template <class T>
struct Vector;
template <>
struct Vector<float> {
  using type = Floats;
};
template <>
struct Vector<double> {
  using type = Doubles;
};

template <class T>
constexpr int kWidth = kVectorBytes / int(sizeof(T));

}  // namespace
}  // namespace proxstep::cpu
