// Small products whose rows are kLanes wide. Each element is a sum in the order of k, by a
// multiplication and an addition each: neither the tile nor the vector width shows in its bits.
#pragma once
#include "../lanes.hpp"
#include "../vectors.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int kTileRows = kVectorBytes / 8;  // as many as the registers hold
static_assert(kLanes % kTileRows == 0, "whole tiles of rows");
template <class T>
constexpr int kVectors = kLanes / kWidth<T>;  // that hold the lanes

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
