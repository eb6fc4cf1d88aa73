#include "shared_gram.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "../kernels.hpp"
#include "../pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kRowsAtOnce = 8;  // of the pool

int64_t words_of(const Columns& columns) {
  return (columns.count() + kWordBits - 1) / kWordBits * columns.samples();
}

// The value of all entries of a column, 0 where there are none; or nothing.
std::optional<double> only_value(const Columns& columns, int64_t k) {
  bool differ = false, found = false;
  double value = 0.0;
  columns.for_entries(k, [&](int64_t, double v) {
    if (!found) value = v, found = true;
    differ |= v != value;
  });
  if (differ) return std::nullopt;
  return value;
}

}  // namespace

std::optional<SharedGram> SharedGram::of(const Columns& columns) {
  if (words_of(columns) > 2 * columns.entries()) return std::nullopt;
  std::vector<double> values;
  for (int64_t k = 0; k < columns.count(); ++k) {
    const std::optional<double> value = only_value(columns, k);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return SharedGram(columns, std::move(values));
}

SharedGram::SharedGram(const Columns& columns, std::vector<double> values)
    : columns_(&columns),
      values_(std::move(values)),
      ranked_(columns.count()),
      words_(words_of(columns)) {
  std::iota(ranked_.begin(), ranked_.end(), 0);
  std::stable_sort(ranked_.begin(), ranked_.end(),
                   [&](int64_t j, int64_t k) { return columns[j].count > columns[k].count; });
  for (int64_t rank = 0; rank < count(); ++rank) {
    std::uint64_t* words = words_.data() + rank / kWordBits * columns.samples();
    const std::uint64_t bit = std::uint64_t{1} << (rank % kWordBits);
    columns.for_entries(ranked_[rank], [=](int64_t i, double) { words[i] |= bit; });
  }
}

std::vector<double> SharedGram::from(int64_t first, const double* h) const {
  std::vector<double> gram((count() - first) * count());
  parallel_for(count(), kRowsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t rank = begin; rank < end; ++rank) add_row(rank, first, h, gram.data());
  });
  return gram;
}

// Products with columns of as many entries, or more: the short columns meet many, the long few.
// Where only the last columns are wanted, they meet all: their sums have the same bits.
void SharedGram::add_row(int64_t rank, int64_t first, const double* h, double* gram) const {
  const auto sums_of = tables().descent->shared[columns_->X().index == DType::int64];
  const int64_t own = ranked_[rank], last = first > 0 ? count() : rank + 1;
  if (own < first) return;
  double sums[kWordBits];
  for (int64_t begin = 0; begin < last; begin += kWordBits) {
    const int64_t bits = std::min<int64_t>(kWordBits, last - begin);
    const std::uint64_t* words = words_.data() + begin / kWordBits * columns_->samples();
    sums_of((*columns_)[own], h, words, bits, sums);
    for (int64_t b = 0; b < bits; ++b) {
      const int64_t other = ranked_[begin + b];
      const int64_t row = std::max(own, other), column = std::min(own, other);
      if (first > 0 && row != own) continue;  // the other one's
      gram[(row - first) * count() + column] = values_[own] * values_[other] * sums[b];
    }
  }
}

}  // namespace proxstep::cpu
