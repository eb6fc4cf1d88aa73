#include "gram.hpp"

#include <algorithm>

#include "../kernels.hpp"
#include "../pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kMostParts = 8;

// Samples of one part: each part has sums of its own.
int64_t part_length(int64_t samples, int64_t columns) {
  const int64_t least = std::max<int64_t>(4 * kGramRows, columns);
  const int64_t length = std::max(least, (samples + kMostParts - 1) / kMostParts);
  return (length + kGramRows - 1) / kGramRows * kGramRows;
}

// Sums over parts of the samples of what add(begin, end, sums) adds.
template <class Add>
std::vector<double> sum_of_parts(int64_t samples, int64_t columns, int64_t size, const Add& add) {
  const int64_t length = part_length(samples, columns);
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

void mirror(double* gram, int64_t count, int64_t stride) {
  for (int64_t j = 0; j < count; ++j) {
    for (int64_t k = 0; k < j; ++k) gram[k * stride + j] = gram[j * stride + k];
  }
}

// Dense: tiles of samples are widened, and multiplied by their second derivatives once.
class DenseGram {
 public:
  DenseGram(const Columns& columns, const Bend& bend)
      : columns_(columns),
        bend_(bend),
        padded_((columns.count() + kGramBlock - 1) / kGramBlock * kGramBlock) {}

  std::vector<double> make() const {
    const std::vector<double> sums =
        sum_of_parts(columns_.samples(), padded_, padded_ * padded_,
                     [&](int64_t begin, int64_t end, double* g) { add_part(begin, end, g); });
    const int64_t count = columns_.count();
    std::vector<double> gram(count * count);
    for (int64_t j = 0; j < count; ++j) {
      std::copy_n(sums.data() + j * padded_, j + 1, gram.data() + j * count);
    }
    mirror(gram.data(), count, count);
    return gram;
  }

 private:
  void add_part(int64_t begin, int64_t end, double* g) const {
    std::vector<double> plain(padded_ * kGramRows), bent(plain.size());
    for (int64_t i = begin; i < end; i += kGramRows) {
      fill(i, std::min(end, i + kGramRows), plain.data(), bent.data());
      for (int64_t j = 0; j < padded_; j += kGramBlock) {
        for (int64_t k = 0; k <= j; k += kGramBlock) {
          tables().descent->gram(bent.data() + j * kGramRows, plain.data() + k * kGramRows,
                                 g + j * padded_ + k, padded_);
        }
      }
    }
  }
  void fill(int64_t begin, int64_t end, double* plain, double* bent) const {
    if (end - begin < kGramRows) std::fill_n(plain, padded_ * kGramRows, 0.0);
    const double* h = bend_.bend.data() + begin;
    for (int64_t k = 0; k < columns_.count(); ++k) {
      double *to = plain + k * kGramRows, *product = bent + k * kGramRows;
      columns_.loops().widen(columns_[k], begin, end, to);
      for (int64_t i = 0; i < end - begin; ++i) product[i] = h[i] * to[i];
    }
  }

  const Columns& columns_;
  const Bend& bend_;
  int64_t padded_;
};

// Sparse: every sample adds the products of its entries.
struct Entry {
  std::int32_t column;
  double value;
};

struct Rows {
  std::vector<int64_t> starts;
  std::vector<Entry> entries;
};

Rows by_rows(const Columns& columns) {
  Rows rows{std::vector<int64_t>(columns.samples() + 1, 0), {}};
  for (int64_t k = 0; k < columns.count(); ++k) {
    columns.for_entries(k, [&](int64_t i, double) { ++rows.starts[i + 1]; });
  }
  for (int64_t i = 0; i < columns.samples(); ++i) rows.starts[i + 1] += rows.starts[i];
  rows.entries.resize(rows.starts.back());
  std::vector<int64_t> next(rows.starts.begin(), rows.starts.end() - 1);
  for (int64_t k = 0; k < columns.count(); ++k) {
    columns.for_entries(
        k, [&](int64_t i, double v) { rows.entries[next[i]++] = {std::int32_t(k), v}; });
  }
  return rows;
}

void add_row(const Entry* entries, int64_t count, double h, double* g, int64_t stride) {
  for (int64_t a = 0; a < count; ++a) {
    double* to = g + entries[a].column * stride;
    const double left = h * entries[a].value;
    for (int64_t b = 0; b <= a; ++b) to[entries[b].column] += left * entries[b].value;
  }
}

std::vector<double> sparse_gram(const Columns& columns, const Bend& bend) {
  const Rows rows = by_rows(columns);
  const int64_t count = columns.count();
  const auto add = [&](int64_t begin, int64_t end, double* g) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = rows.starts[i];
      add_row(rows.entries.data() + first, rows.starts[i + 1] - first, bend.bend[i], g, count);
    }
  };
  std::vector<double> gram = sum_of_parts(columns.samples(), count, count * count, add);
  mirror(gram.data(), count, count);
  return gram;
}

}  // namespace

std::vector<double> gram_matrix(const Columns& columns, const Bend& bend) {
  return columns.sparse() ? sparse_gram(columns, bend) : DenseGram(columns, bend).make();
}

}  // namespace proxstep::cpu
