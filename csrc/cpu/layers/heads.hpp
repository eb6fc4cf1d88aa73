// One head of one sequence, packed: rows and columns without gaps, zeros up to whole lanes, so that
// any width and any time go through the same loops. Letters: i a query, j a key, d a channel.
#pragma once
#include "products.hpp"

namespace proxstep::cpu {
namespace {

constexpr int64_t whole_lanes(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// A part of one head in rows that lie `apart` elements from each other.
template <class T>
struct HeadRows {
  T* at;
  int64_t apart;
};

struct HeadShape {
  int64_t time, width, times, widths;  // the latter two in whole lanes

  HeadShape(int64_t t, int64_t w)
      : time(t), width(w), times(whole_lanes(t)), widths(whole_lanes(w)) {}
  int64_t rows_size() const { return times * widths; }
};

// Row t at t * widths.
template <class T>
void pack_rows(const HeadShape& shape, HeadRows<const T> from, T factor, T* to) {
  for (int64_t t = 0; t < shape.times; ++t, to += shape.widths) {
    const T* const row = from.at + t * from.apart;
    const int64_t width = t < shape.time ? shape.width : 0;
    for (int64_t d = 0; d < width; ++d) to[d] = factor * row[d];
    for (int64_t d = width; d < shape.widths; ++d) to[d] = T(0);
  }
}

// Channel d at d * times, from packed rows.
template <class T>
void transpose_rows(const HeadShape& shape, const T* from, T* to) {
  for (int64_t t = 0; t < shape.times; t += kLanes) {
    for (int64_t d = 0; d < shape.width; ++d) {
      for (int lane = 0; lane < kLanes; ++lane) {
        to[d * shape.times + t + lane] = from[(t + lane) * shape.widths + d];
      }
    }
  }
}

// Rows t.. of the head, count of them; factors: one a row, or null.
template <class T>
void unpack_rows(const HeadShape& shape, const T* from, int64_t t, int64_t count, const T* factors,
                 HeadRows<T> to) {
  for (int64_t k = 0; k < count; ++k, from += shape.widths) {
    T* const row = to.at + (t + k) * to.apart;
    const T factor = factors ? factors[k] : T(1);
    for (int64_t d = 0; d < shape.width; ++d) row[d] = factor * from[d];
  }
}

}  // namespace
}  // namespace proxstep::cpu
