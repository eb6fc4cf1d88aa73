#include "squares.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels.hpp"
#include "line_kernels.hpp"
#include "pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kStripe = 1024;   // columns whose sums stay in the cache
constexpr int64_t kSome = 10;       // columns that are looked at together, at least
constexpr int64_t kRows = 512;      // that pay for sums of their own
constexpr int64_t kTasks = 8;       // enough for the threads to share
constexpr int64_t kWork = 1 << 16;  // elements of a task; some 20 us of one thread
constexpr int kLooks = 3;           // at most
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kCancelled = 0x1p-5;  // of the squares around a point, if less is left: once more

// By distances from a sample: far means cost no digits, and a constant column is exactly so. Where
// the sample was far off, a stripe of columns is looked at once more, around the means.
class Dense {
 public:
  Dense(const Matrix& X, const SquareJob& job, double* out)
      : X_(X),
        job_(job),
        by_rows_(X.layout == Matrix::Layout::rows),
        stripe_(by_rows_ ? kStripe : width(X)),
        pieces_(by_rows_ ? pieces(X) : 1),
        scale_(job.shares ? 1.0 : 1.0 / double(X.n)),
        origin_(X.p),
        sums_(X.p),
        parts_(pieces_ > 1 ? 2 * pieces_ * X.p : 0),
        squares_(out) {}

  void run() {
    const int64_t sample = weightiest();
    parallel_for(X_.p, kStripe, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t j = begin; job_.means && j < end; ++j) origin_[j] = value(sample, j);
    });
    std::vector<int64_t> open((X_.p + stripe_ - 1) / stripe_);
    std::iota(open.begin(), open.end(), 0);
    for (int turn = 0; turn < kLooks && !open.empty(); ++turn) open = settle(open);
  }

 private:
  // Of a stripe, where columns lie in a row of memory each.
  static int64_t width(const Matrix& X) {
    const int64_t least = std::clamp<int64_t>(X.p / kTasks, 1, kSome);
    return std::clamp(kWork / X.n, least, kStripe);
  }
  // Of the samples, which add to sums of their own.
  static int64_t pieces(const Matrix& X) {
    const int64_t stripes = std::max<int64_t>(1, (X.p + kStripe - 1) / kStripe);
    return std::max<int64_t>(1, std::min((kTasks + stripes - 1) / stripes, X.n / kRows));
  }

  int64_t weightiest() const {
    return job_.shares ? std::max_element(job_.shares, job_.shares + X_.n) - job_.shares : 0;
  }
  double value(int64_t i, int64_t j) const {
    const int64_t at = by_rows_ ? i * X_.p + j : j * X_.n + i;
    return X_.dtype == DType::float64 ? static_cast<const double*>(X_.values)[at]
                                      : double(static_cast<const float*>(X_.values)[at]);
  }

  // Means and squares of some stripes; returns those that are to be looked at again.
  std::vector<int64_t> settle(const std::vector<int64_t>& stripes) {
    const int64_t count = static_cast<int64_t>(stripes.size());
    parallel_for(count * pieces_, 1, [&](int64_t task, int64_t, int64_t) {
      const int64_t begin = stripes[task / pieces_] * stripe_;
      look(task % pieces_, begin, std::min(X_.p, begin + stripe_));
    });
    std::vector<char> cancelled(count);
    parallel_for(count, 1, [&](int64_t k, int64_t, int64_t) {
      const int64_t begin = stripes[k] * stripe_;
      cancelled[k] = finish(begin, std::min(X_.p, begin + stripe_));
    });
    std::vector<int64_t> again;
    for (int64_t k = 0; k < count; ++k) {
      if (cancelled[k]) again.push_back(stripes[k]);
    }
    return again;
  }

  void look(int64_t piece, int64_t begin, int64_t end) {
    DeviationJob job{&X_, job_.shares, origin_.data(), sums_.data(), squares_};
    const DeviationKernels& kernels = tables().line->deviations[X_.dtype == DType::float32];
    if (!by_rows_) return kernels.columns(job, begin, end);
    if (pieces_ > 1) job.sums = &parts_[2 * piece * X_.p], job.squares = job.sums + X_.p;
    std::fill(job.sums + begin, job.sums + end, 0.0);
    std::fill(job.squares + begin, job.squares + end, 0.0);
    const int64_t rows = (X_.n + pieces_ - 1) / pieces_;
    kernels.rows(job, std::min(X_.n, piece * rows), std::min(X_.n, (piece + 1) * rows), begin, end);
  }

  // Tells whether too little is left of the squares of a column; the means are its origin then.
  bool finish(int64_t begin, int64_t end) {
    bool cancelled = false;
    for (int64_t j = begin; j < end; ++j) {
      if (pieces_ > 1) add_pieces(j);
      const double apart = scale_ * sums_[j], around = scale_ * squares_[j];
      squares_[j] = around;
      if (!job_.means) continue;
      const double left = around < kInfinity ? around - apart * apart : around;
      cancelled |= left < kCancelled * around;
      job_.means[j] = origin_[j] + apart;
      squares_[j] = std::max(left, 0.0);
    }
    if (cancelled) std::copy(job_.means + begin, job_.means + end, origin_.begin() + begin);
    return cancelled;
  }
  void add_pieces(int64_t j) {
    sums_[j] = squares_[j] = 0.0;
    for (int64_t k = 0; k < pieces_; ++k) {
      sums_[j] += parts_[2 * k * X_.p + j];
      squares_[j] += parts_[(2 * k + 1) * X_.p + j];
    }
  }

  const Matrix& X_;
  const SquareJob& job_;
  bool by_rows_;
  int64_t stripe_, pieces_;
  double scale_;
  std::vector<double> origin_, sums_, parts_;
  double* squares_;
};

template <class T>
class Sparse {
 public:
  Sparse(const Matrix& X, const SquareJob& job, double* out)
      : X_(X), job_(job), equal_(1.0 / double(X.n)), out_(out) {}

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
  double share(int64_t i) const { return job_.shares ? job_.shares[i] : equal_; }
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

  const Matrix& X_;
  const SquareJob& job_;
  double equal_;
  double* out_;
};

template <class T, class I>
void of_sparse(const Matrix& X, const SquareJob& job, double* out) {
  const Sparse<T> squares(X, job, out);
  X.layout == Matrix::Layout::csc ? squares.template csc<I>() : squares.template csr<I>();
}
template <class T>
void of_sparse(const Matrix& X, const SquareJob& job, double* out) {
  X.index == DType::int64 ? of_sparse<T, int64_t>(X, job, out)
                          : of_sparse<T, std::int32_t>(X, job, out);
}

}  // namespace

void mean_squares(const Matrix& X, const SquareJob& job, double* out) {
  if (!X.sparse()) return Dense(X, job, out).run();
  X.dtype == DType::float64 ? of_sparse<double>(X, job, out) : of_sparse<float>(X, job, out);
}

}  // namespace proxstep::cpu
