#include "gram.hpp"

#include <algorithm>
#include <utility>

#include "../kernels.hpp"
#include "../pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kMostParts = 8;
constexpr int64_t kPadded = kGramBlock - 1;

int64_t padded(int64_t count) { return (count + kPadded) / kGramBlock * kGramBlock; }

// What is asked for: the last columns against all of them.
struct Wanted {
  const Matrix& X;
  const std::vector<int64_t>& columns;
  int64_t from;
  const double* h;
  int64_t count() const { return static_cast<int64_t>(columns.size()); }
  int64_t rows() const { return count() - from; }
};

// Samples of one part, which has sums of its own.
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

// One column of a tile, in double.
template <class T>
void widen(const Matrix& X, int64_t column, int64_t begin, int64_t end, double* to) {
  const T* values = static_cast<const T*>(X.values);
  const bool by_rows = X.layout == Matrix::Layout::rows;
  const T* from = by_rows ? values + begin * X.p + column : values + column * X.n + begin;
  const int64_t apart = by_rows ? X.p : 1;
  for (int64_t i = 0; i < end - begin; ++i) to[i] = double(from[i * apart]);
}

// Tiles of samples are widened once, and those of wanted rows multiplied by h where it varies.
class DenseGram {
 public:
  explicit DenseGram(const Wanted& wanted)
      : wanted_(wanted),
        rows_(padded(wanted.rows())),
        count_(padded(wanted.count())),
        flat_(std::all_of(wanted.h, wanted.h + wanted.X.n,
                          [&](double h) { return h == *wanted.h; })) {}

  std::vector<double> make() const {
    const std::vector<double> sums =
        sum_of_parts(wanted_.X.n, count_, rows_ * count_,
                     [&](int64_t begin, int64_t end, double* g) { add_part(begin, end, g); });
    std::vector<double> gram(wanted_.rows() * wanted_.count());
    const double factor = flat_ ? *wanted_.h : 1.0;
    for (int64_t j = 0; j < wanted_.rows(); ++j) {
      const double* from = sums.data() + j * count_;
      double* to = gram.data() + j * wanted_.count();
      for (int64_t k = 0; k < wanted_.count(); ++k) to[k] = factor * from[k];
    }
    return gram;
  }

 private:
  void add_part(int64_t begin, int64_t end, double* g) const {
    std::vector<double> plain((count_ + kPadded) * kGramRows);
    std::vector<double> products(flat_ ? 0 : rows_ * kGramRows);
    const double* bent = flat_ ? plain.data() + wanted_.from * kGramRows : products.data();
    const auto block = tables().descent->gram;
    for (int64_t i = begin; i < end; i += kGramRows) {
      fill(i, std::min(end, i + kGramRows), plain.data(), products.data());
      for (int64_t j = 0; j < rows_; j += kGramBlock) {
        const int64_t last = std::min(count_, wanted_.from + j + kGramBlock + kPadded);
        for (int64_t k = 0; k < last; k += kGramBlock) {
          block(bent + j * kGramRows, plain.data() + k * kGramRows, kGramRows, g + j * count_ + k,
                count_);
        }
      }
    }
  }

  void fill(int64_t begin, int64_t end, double* plain, double* bent) const {
    const int64_t length = end - begin;
    if (length < kGramRows) {
      std::fill_n(plain, count_ * kGramRows, 0.0);
      if (!flat_) std::fill_n(bent, rows_ * kGramRows, 0.0);
    }
    for (int64_t k = 0; k < wanted_.count(); ++k) {
      double* to = plain + k * kGramRows;
      wanted_.X.dtype == DType::float64
          ? widen<double>(wanted_.X, wanted_.columns[k], begin, end, to)
          : widen<float>(wanted_.X, wanted_.columns[k], begin, end, to);
      if (flat_ || k < wanted_.from) continue;
      double* product = bent + (k - wanted_.from) * kGramRows;
      for (int64_t i = 0; i < length; ++i) product[i] = wanted_.h[begin + i] * to[i];
    }
  }

  const Wanted& wanted_;
  int64_t rows_, count_;
  bool flat_;  // h is the same for all samples
};

// The entries of a sample lie by their places.
void add_sample(const SampleEntries::Entry* entries, int64_t count, const Wanted& wanted, double h,
                double* g) {
  for (int64_t a = count - 1; a >= 0 && entries[a].place >= wanted.from; --a) {
    double* to = g + (entries[a].place - wanted.from) * wanted.count();
    const double left = h * entries[a].value;
    for (int64_t b = 0; b <= a; ++b) to[entries[b].place] += left * entries[b].value;
  }
}

std::vector<double> sparse_gram(const Wanted& wanted, const SampleEntries& samples) {
  const auto add = [&](int64_t begin, int64_t end, double* g) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = samples.starts[i], count = samples.starts[i + 1] - first;
      add_sample(samples.entries.data() + first, count, wanted, wanted.h[i], g);
    }
  };
  return sum_of_parts(wanted.X.n, wanted.count(), wanted.rows() * wanted.count(), add);
}

void multiply_by_factors(const Wanted& wanted, double* gram) {
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
  const Wanted wanted{X_, columns_, first, h};
  std::vector<double> gram = shared_    ? shared_->from(first, h)
                             : entries_ ? sparse_gram(wanted, *entries_)
                                        : DenseGram(wanted).make();
  multiply_by_factors(wanted, gram.data());
  for (int64_t j = 0; j < wanted.rows(); ++j) {  // among the wanted columns one half was summed
    for (int64_t k = j + 1; k < wanted.rows(); ++k) {
      gram[j * wanted.count() + first + k] = gram[k * wanted.count() + first + j];
    }
  }
  return gram;
}

}  // namespace proxstep::cpu
