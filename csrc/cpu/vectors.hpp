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

}  // namespace
}  // namespace proxstep::cpu
