#include "squares.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels.hpp"
#include "line_kernels.hpp"
#include "pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kStripe = 1024;   // columns whose sums stay in the cache
constexpr int64_t kRows = 512;      // that pay for sums of their own
constexpr int64_t kTasks = 8;       // enough for the threads to share
constexpr int64_t kWork = 1 << 16;  // elements of a task; some 20 us of one thread
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kCancelled = 0x1p-5;  // of the squares around a point, if less is left: once more

// By distances from a sample: far means cost no digits, and a constant column is exactly so.
class Dense {
 public:
  Dense(const Matrix& X, const SquareJob& job, double* out)
      : X_(X),
        job_(job),
        scale_(job.shares ? 1.0 : 1.0 / double(X.n)),
        origin_(X.p),
        sums_(X.p),
        squares_(out) {}

  void run() {
    if (job_.means) start_at(first_sample());
    look(0, X_.p);
    for (int64_t j = 0; j < X_.p; ++j) squares_[j] *= scale_;
    if (!job_.means) return;
    for (int64_t begin = 0; begin < X_.p; begin += kStripe) settle(begin);
  }

 private:
  bool side_by_side() const { return X_.layout == Matrix::Layout::rows; }

  int64_t first_sample() const {
    int64_t i = 0;
    while (job_.shares && i + 1 < X_.n && job_.shares[i] == 0.0) ++i;
    return i;
  }
  void start_at(int64_t sample) {
    const int64_t begin = side_by_side() ? sample * X_.p : sample;
    const int64_t stride = side_by_side() ? 1 : X_.n;
    for (int64_t j = 0; j < X_.p; ++j) origin_[j] = value(begin + j * stride);
  }
  double value(int64_t at) const {
    return X_.dtype == DType::float64 ? static_cast<const double*>(X_.values)[at]
                                      : double(static_cast<const float*>(X_.values)[at]);
  }

  const DeviationKernels& kernels() const {
    return tables().line->deviations[X_.dtype == DType::float32];
  }

  // Sums of some columns around their origin.
  void look(int64_t begin, int64_t end) {
    const DeviationJob job{&X_, job_.shares, origin_.data(), sums_.data(), squares_};
    if (side_by_side()) return look_at_rows(job, begin, end);
    const auto columns = kernels().columns;
    parallel_for(
        end - begin, std::max<int64_t>(1, kWork / X_.n),
        [&](int64_t first, int64_t last, int64_t) { columns(job, begin + first, begin + last); });
  }

  // Pieces of the samples add to sums of their own.
  void look_at_rows(const DeviationJob& job, int64_t begin, int64_t end) {
    const int64_t stripes = (end - begin + kStripe - 1) / kStripe;
    const int64_t wanted = (kTasks + stripes - 1) / stripes;
    const int64_t pieces = std::max<int64_t>(1, std::min(wanted, X_.n / kRows));
    const int64_t piece = (X_.n + pieces - 1) / pieces;
    std::vector<double> parts(2 * pieces * X_.p);
    const auto rows = kernels().rows;
    parallel_for(stripes * pieces, 1, [&](int64_t task, int64_t, int64_t) {
      const int64_t k = task / stripes, first = begin + task % stripes * kStripe;
      DeviationJob own = job;
      own.sums = parts.data() + 2 * k * X_.p;
      own.squares = own.sums + X_.p;
      rows(own, std::min(X_.n, k * piece), std::min(X_.n, (k + 1) * piece), first,
           std::min(end, first + kStripe));
    });
    for (int64_t j = begin; j < end; ++j) {
      double sum = 0.0, square = 0.0;
      for (int64_t k = 0; k < pieces; ++k) {
        sum += parts[2 * k * X_.p + j];
        square += parts[(2 * k + 1) * X_.p + j];
      }
      job.sums[j] = sum;
      job.squares[j] = square;
    }
  }

  // Means and squares around them, of a stripe. Where the sample was far off, around the means.
  void settle(int64_t begin) {
    const int64_t end = std::min(X_.p, begin + kStripe);
    if (!finish(begin, end)) return;
    std::copy(job_.means + begin, job_.means + end, origin_.begin() + begin);
    look(begin, end);
    for (int64_t j = begin; j < end; ++j) squares_[j] *= scale_;
    finish(begin, end);
  }
  // Tells whether too little is left of the squares of a column.
  bool finish(int64_t begin, int64_t end) {
    bool cancelled = false;
    for (int64_t j = begin; j < end; ++j) {
      const double apart = scale_ * sums_[j], around = squares_[j];
      const double left = around < kInfinity ? around - apart * apart : around;
      cancelled |= left < kCancelled * around;
      job_.means[j] = origin_[j] + apart;
      squares_[j] = std::max(left, 0.0);
    }
    return cancelled;
  }

  const Matrix& X_;
  const SquareJob& job_;
  double scale_;
  std::vector<double> origin_, sums_;
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
