// What the loops of decoding are given: a weight, one row, one head. Plain pointers.
#pragma once
#include <cstdint>

namespace proxstep {

constexpr std::int64_t kRowGroup = 8;

// Groups of kRowGroup rows, whose k-th elements lie side by side; within a group all rows are
// padded to the longest. Rows are sorted by their count of non-zeros, so that little is padded
// (SELL-C-sigma: Kreutzer, Hager, Wellein, Fehske and Bishop, SIAM J. Sci. Comput. 36(5), 2014).
template <class T>
struct SparseRows {
  const T* values = nullptr;
  const std::uint16_t* columns = nullptr;
  const std::int64_t* starts = nullptr;  // of the groups, in elements, and the end
  const std::int64_t* order = nullptr;   // place in a group -> row
};

// (rows, columns): dense in C order, or sparse.
template <class T>
struct Weight {
  std::int64_t rows = 0, columns = 0;
  const T* dense = nullptr;
  SparseRows<T> sparse;
};

// y = W x, or y += W x, for `count` rows of x and of y.
template <class T>
struct RowProduct {
  const Weight<T>* weight;
  const T* x;
  T* y;
  std::int64_t count;
  bool add;
};

// out = softmax(q K / sqrt(size)) V for one head. K is (size, context), V is (context, width), and
// the first `length` positions count; scores has room for as many.
template <class T>
struct HeadAttention {
  const T *q, *keys, *values;
  std::int64_t size, context, width, length;
  T *scores, *out;
};

}  // namespace proxstep
