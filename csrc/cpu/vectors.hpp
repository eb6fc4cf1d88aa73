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

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float type __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
};
template <>
struct VectorOf<double> {
  typedef double type __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int kWidth = kVectorBytes / int(sizeof(T));  // elements of one

template <class T>
inline __attribute__((always_inline)) const Vector<T>& vector(const T* at) {
  return *reinterpret_cast<const Vector<T>*>(at);
}
template <class T>
inline __attribute__((always_inline)) Vector<T>& vector(T* at) {
  return *reinterpret_cast<Vector<T>*>(at);
}

inline Vector<double> widened(const double* from) { return vector(from); }
// Where GCC 12 would convert each half of what it is given by itself, it is told the instruction.
inline Vector<double> widened(const float* from) {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2), aligned(4), may_alias));
  const Half half = *reinterpret_cast<const Half*>(from);
#if defined(__AVX512F__) && !defined(__clang__)
  constexpr int as_set = 4;  // the rounding, of which a conversion to double has none
  return __builtin_ia32_cvtps2pd512_mask(half, Vector<double>{}, -1, as_set);
#elif defined(__AVX__) && !defined(__clang__)
  return __builtin_ia32_cvtps2pd256(half);
#else
  return __builtin_convertvector(half, Vector<double>);
#endif
}

}  // namespace
}  // namespace proxstep::cpu
