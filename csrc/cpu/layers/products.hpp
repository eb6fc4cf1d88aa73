// Small products whose rows are kLanes wide. Each element is a sum in the order of k, by a
// multiplication and an addition each: neither the tile nor the vector width shows in its bits.
#pragma once
#include "../lanes.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kTileRows = 8;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32, kTileRows = 4;
#else
constexpr int kVectorBytes = 16, kTileRows = 2;
#endif
static_assert(kLanes % kTileRows == 0, "whole tiles of rows");

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
constexpr int kVectors = kLanes * sizeof(T) / kVectorBytes;  // that hold the lanes

template <class T>
inline __attribute__((always_inline)) const Vector<T>& vector(const T* at) {
  return *reinterpret_cast<const Vector<T>*>(at);
}
template <class T>
inline __attribute__((always_inline)) Vector<T>& vector(T* at) {
  return *reinterpret_cast<Vector<T>*>(at);
}

// Element (row, k) lies at row * down + k * along.
template <class T>
struct Left {
  const T* at;
  int64_t down, along;
};
// Rows of kLanes, `apart` elements between them.
template <class T>
struct Lanes {
  T* at;
  int64_t apart;
};

// to (rows by kLanes) = left (rows by depth) right, or += it; rows is a multiple of kTileRows.
template <bool add, class T>
void multiply(int64_t rows, int64_t depth, Left<T> left, Lanes<const T> right, Lanes<T> to) {
  constexpr int V = kVectors<T>, W = kLanes / V;
  for (int64_t row = 0; row < rows; row += kTileRows) {
    Vector<T> sum[kTileRows][V] = {};
    T* const out = to.at + row * to.apart;
    for (int r = 0; add && r < kTileRows; ++r) {
      for (int v = 0; v < V; ++v) sum[r][v] = vector(out + r * to.apart + v * W);
    }
    const T *a = left.at + row * left.down, *b = right.at;
    for (int64_t k = 0; k < depth; ++k, a += left.along, b += right.apart) {
      Vector<T> lanes[V];
      for (int v = 0; v < V; ++v) lanes[v] = vector(b + v * W);
      for (int r = 0; r < kTileRows; ++r) {
        for (int v = 0; v < V; ++v) sum[r][v] += a[r * left.down] * lanes[v];
      }
    }
    for (int r = 0; r < kTileRows; ++r) {
      for (int v = 0; v < V; ++v) vector(out + r * to.apart + v * W) = sum[r][v];
    }
  }
}

// The same for `columns` of right and to, a multiple of kLanes.
template <bool add, class T>
void multiply_wide(int64_t rows, int64_t columns, int64_t depth, Left<T> left, Lanes<const T> right,
                   Lanes<T> to) {
  for (int64_t c = 0; c < columns; c += kLanes) {
    multiply<add>(rows, depth, left, {right.at + c, right.apart}, {to.at + c, to.apart});
  }
}

}  // namespace
}  // namespace proxstep::cpu
