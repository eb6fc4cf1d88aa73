#include "pack_rows.hpp"

#include <algorithm>
#include <numeric>

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr double kShare = 0.7;  // of zeros; measured on AVX-512, where dense products are quickest

template <class T>
int64_t count_nonzeros(const T* row, int64_t n) {
  return n - std::count(row, row + n, T(0));
}

template <class T>
std::vector<int64_t> counts_of_rows(const Weight<T>& w) {
  std::vector<int64_t> counts(w.rows);
  for (int64_t r = 0; r < w.rows; ++r) {
    counts[r] = count_nonzeros(w.dense + r * w.columns, w.columns);
  }
  return counts;
}

}  // namespace

template <class T>
PackedRows<T>::PackedRows(const Weight<T>& w) : starts_{0}, order_(w.rows) {
  const std::vector<int64_t> counts = counts_of_rows(w);
  std::iota(order_.begin(), order_.end(), int64_t(0));
  std::stable_sort(order_.begin(), order_.end(),
                   [&](int64_t a, int64_t b) { return counts[a] > counts[b]; });
  for (int64_t first = 0; first < w.rows; first += kRowGroup) {
    const int64_t start = starts_.back(), longest = counts[order_[first]];
    starts_.push_back(start + kRowGroup * longest);
    values_.resize(starts_.back(), T(0));  // padding is 0 times x[0]
    columns_.resize(starts_.back(), 0);
    for (int64_t r = 0; r < std::min(kRowGroup, w.rows - first); ++r) {
      const T* row = w.dense + order_[first + r] * w.columns;
      for (int64_t c = 0, at = start + r; c < w.columns; ++c) {
        if (row[c] == T(0)) continue;
        values_[at] = row[c];
        columns_[at] = static_cast<std::uint16_t>(c);
        at += kRowGroup;
      }
    }
  }
}

template <class T>
bool pays_packed(const Weight<T>& w) {
  const int64_t size = w.rows * w.columns;
  return size > 0 && w.columns <= 1 << 16 &&
         double(count_nonzeros(w.dense, size)) <= (1.0 - kShare) * double(size);
}

template class PackedRows<float>;
template class PackedRows<double>;
template bool pays_packed(const Weight<float>&);
template bool pays_packed(const Weight<double>&);

}  // namespace proxstep::cpu
