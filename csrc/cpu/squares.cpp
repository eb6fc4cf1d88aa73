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

template <class T>
class Squares {
 public:
  Squares(const Matrix& X, const SquareJob& job, double* out)
      : X_(X), job_(job), equal_(1.0 / double(X.n)), out_(out) {}

  void columns() const {
    parallel_for(X_.p, kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t j = begin; j < end; ++j) out_[j] = column(j);
    });
  }

  void rows() const {
    parallel_for(X_.p, kStripe, [&](int64_t begin, int64_t end, int64_t) {
      std::fill(out_ + begin, out_ + end, 0.0);
      for (int64_t i = 0; i < X_.n; ++i) add_row(i, begin, end);
      if (!job_.shares) scale(begin, end);
    });
  }

  template <class I>
  void csc() const {
    const I* indices = static_cast<const I*>(X_.indices);
    const I* starts = static_cast<const I*>(X_.starts);
    parallel_for(X_.p, kStripe, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t j = begin; j < end; ++j) {
        double sum = 0.0, present = 0.0;
        for (I e = starts[j]; e < starts[j + 1]; ++e) {
          sum += share(indices[e]) * square(e, j);
          present += share(indices[e]);
        }
        out_[j] = sum + absent(present, j);
      }
    });
  }

  // Entry by entry, in the order of the samples.
  template <class I>
  void csr() const {
    const I* indices = static_cast<const I*>(X_.indices);
    const I* starts = static_cast<const I*>(X_.starts);
    std::vector<double> present(X_.p, 0.0);
    std::fill_n(out_, X_.p, 0.0);
    for (int64_t i = 0; i < X_.n; ++i) {
      for (I e = starts[i]; e < starts[i + 1]; ++e) {
        out_[indices[e]] += share(i) * square(e, indices[e]);
        present[indices[e]] += share(i);
      }
    }
    for (int64_t j = 0; j < X_.p; ++j) out_[j] += absent(present[j], j);
  }

 private:
  double share(int64_t i) const { return job_.shares ? job_.shares[i] : equal_; }
  double mean(int64_t j) const { return job_.means ? job_.means[j] : 0.0; }
  double square(int64_t at, int64_t j) const {
    const double apart = double(static_cast<const T*>(X_.values)[at]) - mean(j);
    return apart * apart;
  }
  double absent(double present, int64_t j) const {
    return std::max(1.0 - present, 0.0) * mean(j) * mean(j);
  }

  double column(int64_t j) const {
    const int64_t first = j * X_.n;
    if (job_.shares) {
      return lane_sum(X_.n, [=](int64_t i) { return job_.shares[i] * square(first + i, j); });
    }
    return equal_ * lane_sum(X_.n, [=](int64_t i) { return square(first + i, j); });
  }

  void add_row(int64_t i, int64_t begin, int64_t end) const {
    const double w = job_.shares ? job_.shares[i] : 1.0;
    for (int64_t j = begin; j < end; ++j) out_[j] += w * square(i * X_.p + j, j);
  }
  void scale(int64_t begin, int64_t end) const {
    for (int64_t j = begin; j < end; ++j) out_[j] *= equal_;
  }

  const Matrix& X_;
  const SquareJob& job_;
  double equal_;
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
