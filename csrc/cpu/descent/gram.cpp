#include "gram.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "../pool.hpp"
#include "dense_gram.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kMostParts = 8;
constexpr int64_t kLeastPart = 1024;   // samples
constexpr int64_t kFewSums = 1 << 16;  // of which every part may have its own

// Samples of one part, which has sums of its own.
int64_t part_length(int64_t samples, int64_t columns) {
  const int64_t least = std::max<int64_t>(kLeastPart, columns);
  const int64_t length = std::max(least, (samples + kMostParts - 1) / kMostParts);
  return (length + kLeastPart - 1) / kLeastPart * kLeastPart;
}

// Sums over parts of the samples of what add(begin, end, sums) adds.
template <class Add>
std::vector<double> sum_of_parts(int64_t samples, int64_t length, int64_t size, const Add& add) {
  std::vector<std::vector<double>> parts((samples + length - 1) / length);
  parallel_for(samples, length, [&](int64_t begin, int64_t end, int64_t part) {
    parts[part].assign(size, 0.0);
    add(begin, end, parts[part].data());
  });
  for (std::size_t part = 1; part < parts.size(); ++part) {
    for (int64_t k = 0; k < size; ++k) parts[0][k] += parts[part][k];
  }
  return std::move(parts[0]);
}

// Threads share the samples where sums are few, and the sums where they are many.
std::vector<double> dense_gram(const WantedGram& wanted) {
  const DenseGram gram(wanted);
  const int64_t n = wanted.X.n, size = wanted.rows() * wanted.count();
  const int64_t length = size <= kFewSums ? part_length(n, wanted.count()) : n;
  std::vector<double> sums = sum_of_parts(
      n, length, size, [&](int64_t begin, int64_t end, double* g) { gram.add(begin, end, g, {}); });
  finish_gram(wanted, gram.factor(), sums.data());
  return sums;
}

// The entries of a sample lie by their places. Within its callers the loop would lack registers.
[[gnu::noinline]] void add_sample(const SampleEntries::Entry* entries, int64_t count,
                                  const WantedGram& wanted, double h, double* g) {
  for (int64_t a = count - 1; a >= 0 && entries[a].place >= wanted.from; --a) {
    double* to = g + (entries[a].place - wanted.from) * wanted.count();
    const double left = h * entries[a].value;
    for (int64_t b = 0; b <= a; ++b) to[entries[b].place] += left * entries[b].value;
  }
}

std::vector<double> sparse_gram(const WantedGram& wanted, const SampleEntries& samples) {
  const auto add = [&](int64_t begin, int64_t end, double* g) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = samples.starts[i], count = samples.starts[i + 1] - first;
      add_sample(samples.entries.data() + first, count, wanted, wanted.h[i], g);
    }
  };
  const int64_t n = wanted.X.n;
  std::vector<double> sums =
      sum_of_parts(n, part_length(n, wanted.count()), wanted.rows() * wanted.count(), add);
  finish_gram(wanted, 1.0, sums.data());
  return sums;
}

void multiply_by_factors(const WantedGram& wanted, double* gram) {
  for (int64_t j = 0; wanted.X.factors && j < wanted.rows(); ++j) {
    const double factor = wanted.X.factor(wanted.columns[wanted.from + j]);
    for (int64_t k = 0; k < wanted.count(); ++k) {
      gram[j * wanted.count() + k] *= factor * wanted.X.factor(wanted.columns[k]);
    }
  }
}

}  // namespace

std::vector<double> square_part(const double* matrix, int64_t side,
                                const std::vector<int64_t>& places) {
  const std::size_t count = places.size();
  std::vector<double> part(count * count);
  for (std::size_t j = 0; j < count; ++j) {
    const double* row = matrix + places[j] * side;
    for (std::size_t k = 0; k < count; ++k) part[j * count + k] = row[places[k]];
  }
  return part;
}

GramRows::GramRows(const Matrix& X, std::vector<int64_t> columns)
    : X_(X), columns_(std::move(columns)) {
  if (X.sparse()) take_sparse(own_.emplace(X, columns_));
}

GramRows::GramRows(const Columns& columns) : X_(columns.X()), columns_(columns.chosen()) {
  if (X_.sparse()) take_sparse(columns);
}

void GramRows::take_sparse(const Columns& columns) {
  shared_ = SharedGram::of(columns);
  if (!shared_) entries_.emplace(columns);
}

std::vector<double> GramRows::from(int64_t first, const double* h) const {
  const WantedGram wanted{X_, columns_, first, h};
  std::vector<double> gram;
  if (shared_) {
    gram = shared_->from(first, h);
    finish_gram(wanted, 1.0, gram.data());
  } else {
    gram = entries_ ? sparse_gram(wanted, *entries_) : dense_gram(wanted);
  }
  multiply_by_factors(wanted, gram.data());
  return gram;
}

void gram_of_columns(const Matrix& X, const double* shares, const double* means, double* out,
                     const std::function<bool()>& interrupted) {
  std::vector<int64_t> columns(X.p);
  std::iota(columns.begin(), columns.end(), int64_t{0});
  std::vector<double> equal;
  if (!shares) equal.assign(X.n, 1.0 / double(X.n));
  const WantedGram wanted{X, columns, 0, shares ? shares : equal.data(), means};
  const DenseGram gram(wanted);
  std::fill_n(out, X.p * X.p, 0.0);
  gram.add(0, X.n, out, interrupted);
  finish_gram(wanted, gram.factor(), out);
  multiply_by_factors(wanted, out);
}

}  // namespace proxstep::cpu
