#include "gram_cache.hpp"

#include "gram.hpp"

namespace proxstep::cpu {

using std::int64_t;

int64_t GramCache::missing(const std::vector<int64_t>& columns) const {
  int64_t count = 0;
  for (const int64_t column : columns) count += place_.count(column) == 0;
  return count;
}

void GramCache::clear() { place_.clear(), columns_.clear(), gram_.clear(); }

std::vector<double> GramCache::of(const Descent& descent, const std::vector<int64_t>& columns) {
  if (static_cast<int64_t>(columns_.size()) + missing(columns) > kMost) {
    clear();
  }
  try {
    if (missing(columns) > 0) extend(descent, columns);
  } catch (...) {  // columns without a row would be read beyond the matrix
    clear();
    throw;
  }
  std::vector<int64_t> places;
  for (const int64_t column : columns) places.push_back(place_.at(column));
  return square_part(gram_.data(), static_cast<int64_t>(columns_.size()), places);
}

// The means are first moments: the second derivatives are the samples' shares, with sum 1.
void GramCache::extend(const Descent& descent, const std::vector<int64_t>& columns) {
  const int64_t old = static_cast<int64_t>(columns_.size());
  for (const int64_t column : columns) {
    if (place_.emplace(column, columns_.size()).second) columns_.push_back(column);
  }
  const int64_t all = static_cast<int64_t>(columns_.size());
  std::vector<double> equal;
  if (!descent.shares) equal.assign(descent.X.n, 1.0 / double(descent.X.n));
  const double* shares = descent.shares ? descent.shares : equal.data();
  const std::vector<double> rows = GramRows(descent.X, columns_).from(old, shares);
  std::vector<double> grown(all * all);
  for (int64_t j = 0; j < old; ++j) {
    for (int64_t k = 0; k < old; ++k) grown[j * all + k] = gram_[j * old + k];
  }
  const double* means = descent.means;
  for (int64_t j = old; j < all; ++j) {
    const double mean = means ? means[columns_[j]] : 0.0;
    for (int64_t k = 0; k < all; ++k) {
      const double plain = rows[(j - old) * all + k];
      double centred = means ? plain - mean * means[columns_[k]] : plain;
      if (j == k && centred <= kConstant * plain) centred = 0.0;
      grown[j * all + k] = grown[k * all + j] = centred;
    }
  }
  gram_ = std::move(grown);
}

}  // namespace proxstep::cpu
