#include "squares.hpp"

#include <algorithm>
#include <vector>

#include "lanes.hpp"
#include "pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kColumnsAtOnce = 8;  // that lie in a row of memory each
constexpr int64_t kStripe = 256;       // columns that lie side by side
constexpr int64_t kTileRows = 64;      // of a stripe: they stay in the cache for a second look

// What some samples say of a stripe of columns: their share, means, and squares around these.
struct Part {
  double share = 0.0;
  std::vector<double> means = std::vector<double>(kStripe), squares = means;

  // Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983.
  void merge(const Part& other, int64_t count) {
    const double all = share + other.share, part = all > 0.0 ? other.share / all : 0.0;
    for (int64_t k = 0; k < count; ++k) {
      const double apart = other.means[k] - means[k];
      means[k] += part * apart;
      squares[k] += other.squares[k] + share * part * apart * apart;
    }
    share = all;
  }
};

template <class T>
class Squares {
 public:
  Squares(const Matrix& X, const SquareJob& job, double* out)
      : X_(X), job_(job), equal_(1.0 / double(X.n)), out_(out) {
    while (job.shares && origin_ + 1 < X.n && job.shares[origin_] == 0.0) ++origin_;
  }

  void columns() const {
    parallel_for(X_.p, kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t j = begin; j < end; ++j) out_[j] = column(j);
    });
  }

  // Sums are those of distances from a row: far means cost no digits.
  void rows() const {
    parallel_for(X_.p, kStripe, [&](int64_t begin, int64_t end, int64_t) {
      const int64_t count = end - begin;
      Part all, tile;
      std::vector<double> origin(count);
      if (job_.means) std::copy_n(row(origin_) + begin, count, origin.begin());
      for (int64_t i = 0; i < X_.n; i += kTileRows) {
        look(i, begin, origin.data(), count, &tile);
        all.merge(tile, count);
      }
      for (int64_t k = 0; k < count; ++k) {
        out_[begin + k] = all.squares[k] / all.share;
        if (job_.means) job_.means[begin + k] = origin[k] + all.means[k];
      }
    });
  }

  template <class I>
  void csc() const {
    const I* indices = static_cast<const I*>(X_.indices);
    const I* starts = static_cast<const I*>(X_.starts);
    parallel_for(X_.p, kStripe, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t j = begin; j < end; ++j) {
        double sum = 0.0, present = 0.0, mean = 0.0;
        for (I e = starts[j]; job_.means && e < starts[j + 1]; ++e) {
          mean += share(indices[e]) * value(e);
        }
        if (job_.means) job_.means[j] = mean;
        for (I e = starts[j]; e < starts[j + 1]; ++e) {
          sum += share(indices[e]) * square(e, j);
          present += share(indices[e]);
        }
        out_[j] = sum + absent(starts[j + 1] - starts[j], present, j);
      }
    });
  }

  // Entry by entry, in the order of the samples.
  template <class I>
  void csr() const {
    const I* indices = static_cast<const I*>(X_.indices);
    const I* starts = static_cast<const I*>(X_.starts);
    std::vector<double> present(X_.p, 0.0);
    std::vector<int64_t> count(X_.p, 0);
    std::fill_n(out_, X_.p, 0.0);
    if (job_.means) std::fill_n(job_.means, X_.p, 0.0);
    for (int64_t i = 0; job_.means && i < X_.n; ++i) {
      for (I e = starts[i]; e < starts[i + 1]; ++e) job_.means[indices[e]] += share(i) * value(e);
    }
    for (int64_t i = 0; i < X_.n; ++i) {
      for (I e = starts[i]; e < starts[i + 1]; ++e) {
        out_[indices[e]] += share(i) * square(e, indices[e]);
        present[indices[e]] += share(i);
        ++count[indices[e]];
      }
    }
    for (int64_t j = 0; j < X_.p; ++j) out_[j] += absent(count[j], present[j], j);
  }

 private:
  const T* row(int64_t i) const { return static_cast<const T*>(X_.values) + i * X_.p; }
  double share(int64_t i) const { return job_.shares ? job_.shares[i] : equal_; }
  double weight(int64_t i) const { return job_.shares ? job_.shares[i] : 1.0; }
  double mean(int64_t j) const { return job_.means ? job_.means[j] : 0.0; }
  double value(int64_t at) const { return double(static_cast<const T*>(X_.values)[at]); }
  double square(int64_t at, int64_t j) const {
    const double apart = value(at) - mean(j);
    return apart * apart;
  }
  // Where all entries are stored no rounding of their shares' sum stands for others.
  double absent(int64_t count, double present, int64_t j) const {
    return count == X_.n ? 0.0 : std::max(1.0 - present, 0.0) * mean(j) * mean(j);
  }

  // By distances from a sample: a constant column is exactly so.
  double column(int64_t j) const {
    const T* x = static_cast<const T*>(X_.values) + j * X_.n;
    const double* w = job_.shares;
    const double origin = x[origin_];
    if (job_.means && w) {
      job_.means[j] = origin + sum_of(x, [=](int64_t i) { return w[i] * (x[i] - origin); });
    } else if (job_.means) {
      job_.means[j] = origin + equal_ * sum_of(x, [=](int64_t i) { return x[i] - origin; });
    }
    const double m = mean(j);
    const auto square = [=](int64_t i) { return (double(x[i]) - m) * (double(x[i]) - m); };
    if (w) return sum_of(x, [=](int64_t i) { return w[i] * square(i); });
    return equal_ * sum_of(x, square);
  }

  // lane_sum over a column, while the next one is asked for.
  template <class Term>
  double sum_of(const T* x, const Term& term) const {
    constexpr int64_t kLine = 64 / int64_t(sizeof(T)), kPart = 16 * kLanes;
    double lanes[kLanes] = {};
    for (int64_t i = 0; i < X_.n; i += kPart) {
      const int64_t count = std::min(kPart, X_.n - i);
      for (int64_t k = 0; k < count; k += kLine) __builtin_prefetch(x + X_.n + i + k);
      add_to_lanes(lanes, count, [=](int64_t k) { return term(i + k); });
    }
    return fold_lanes(lanes);
  }

  // Of a tile, which begins at sample i and column j.
  void look(int64_t i, int64_t j, const double* origin, int64_t count, Part* tile) const {
    const int64_t last = std::min(X_.n, i + kTileRows);
    double *means = tile->means.data(), *squares = tile->squares.data();
    tile->share = 0.0;
    for (int64_t r = i; r < last; ++r) tile->share += weight(r);
    std::fill_n(means, count, 0.0);
    for (int64_t r = i; job_.means && r < last; ++r) {
      const T* x = row(r) + j;
      const double w = weight(r);
#pragma GCC ivdep
      for (int64_t k = 0; k < count; ++k) means[k] += w * (double(x[k]) - origin[k]);
    }
    for (int64_t k = 0; tile->share > 0.0 && k < count; ++k) means[k] /= tile->share;
    std::fill_n(squares, count, 0.0);
    for (int64_t r = i; r < last; ++r) {
      const T* x = row(r) + j;
      const double w = weight(r);
#pragma GCC ivdep
      for (int64_t k = 0; k < count; ++k) {
        const double apart = (double(x[k]) - origin[k]) - means[k];
        squares[k] += w * (apart * apart);
      }
    }
  }

  const Matrix& X_;
  const SquareJob& job_;
  double equal_;
  int64_t origin_ = 0;  // the first sample that has a share
  double* out_;
};

template <class T>
void mean_squares_of(const Matrix& X, const SquareJob& job, double* out) {
  const Squares<T> squares(X, job, out);
  const bool wide = X.index == DType::int64;
  switch (X.layout) {
    case Matrix::Layout::columns:
      return squares.columns();
    case Matrix::Layout::rows:
      return squares.rows();
    case Matrix::Layout::csc:
      return wide ? squares.template csc<int64_t>() : squares.template csc<std::int32_t>();
    case Matrix::Layout::csr:
      return wide ? squares.template csr<int64_t>() : squares.template csr<std::int32_t>();
  }
}

}  // namespace

void mean_squares(const Matrix& X, const SquareJob& job, double* out) {
  X.dtype == DType::float64 ? mean_squares_of<double>(X, job, out)
                            : mean_squares_of<float>(X, job, out);
}

}  // namespace proxstep::cpu
