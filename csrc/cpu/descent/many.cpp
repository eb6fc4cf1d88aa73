#include "many.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "../../descent.hpp"
#include "../pool.hpp"
#include "epochs.hpp"
#include "model.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kFitsAtOnce = 8;     // of the pool
constexpr double kRounding = 0x1p-96;  // share of y's mean square that is no variance

// (n, p), of one fit or of all.
Array matrix_of(const Array& X, int64_t fit) {
  if (X.ndim == 2) return X;
  Array one = X;
  one.ndim = 2;
  std::copy_n(X.shape + 1, 2, one.shape);
  std::copy_n(X.strides + 1, 2, one.strides);
  one.data = static_cast<char*>(X.data) + fit * X.strides[0] * itemsize(X.dtype);
  return one;
}

double dot(const double* a, const double* b, int64_t n) {
  return std::inner_product(a, a + n, b, 0.0);
}

// Of all elements: the penalty is the same for every fit.
Blocks blocks_of(const ManyRun& run, int64_t p) {
  std::vector<int64_t> all(p);
  std::iota(all.begin(), all.end(), 0);
  Descent descent;
  descent.X.p = p;
  descent.blocks = all.data();
  descent.count = p;
  descent.element = run.element;
  return Blocks(descent);
}

// The loss is (y'y - 2 c'x + x'G x) / 2 with c = X'y, everything centred and shared out.
class Fit {
 public:
  Fit(const Centred& X, const SampleShares& samples, const double* y) : X_(X), y_(samples.rows) {
    std::copy_n(y, samples.n, y_.begin());
    mean_ = samples.centre(y_.data());
    c_ = X.adjoint(y_.data());
    square_ = dot(y_.data(), y_.data(), samples.n);
  }

  // As of a problem: where y is constant, zero predictions stand for the null model.
  double scale() const {
    const double all = square_ + mean_ * mean_;
    if (!(square_ <= kRounding * all)) return 0.5 * square_;
    return all > 0.0 ? 0.5 * all : 1.0;
  }

  std::vector<double> gradient(const std::vector<double>& x) const {
    std::vector<double> g(c_.size());
    for (std::size_t j = 0; j < g.size(); ++j) g[j] = -c_[j];
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double* row = X_.gram() + static_cast<int64_t>(k) * X_.count();
      if (x[k] == 0.0) continue;
      for (std::size_t j = 0; j < g.size(); ++j) g[j] += x[k] * row[j];
    }
    return g;
  }

  double loss(const std::vector<double>& x, double inner) const {
    const double value = square_ - dot(c_.data(), x.data(), size(x)) + inner;
    return value < 0.0 ? 0.0 : 0.5 * value;  // below 0 by rounding only; NaN stays
  }

  double intercept(const std::vector<double>& x) const {
    double value = mean_;
    for (std::size_t j = 0; j < x.size(); ++j) value -= X_.mean(static_cast<int64_t>(j)) * x[j];
    return value;
  }

  double pull() const { return std::sqrt(dot(c_.data(), c_.data(), X_.count())); }

  static int64_t size(const std::vector<double>& x) { return static_cast<int64_t>(x.size()); }

 private:
  const Centred& X_;
  std::vector<double> y_, c_;
  double mean_ = 0.0, square_ = 0.0;
};

// Where the first epoch finds nothing worth a move, the start stays: zeros are exact.
int64_t descend(const Centred& X, const Fit& fit, const Blocks& blocks, const EpochLimits& limits,
                std::vector<double>& x) {
  const std::vector<double> start = x;
  GramModel model(X.gram(), fit.gradient(x));
  const EpochReport report = Epochs<GramModel>(model, blocks, x).run(limits);
  if (report.first <= limits.tolerance) x = start;
  return report.count;
}

// What was rounded out of the penalty's domain counts as on its edge.
void put_inside(const Blocks& blocks, std::vector<double>& x) {
  for (int64_t k = 0; k < Fit::size(x); ++k) {
    x[k] = blocks.prox(k, x[k], std::numeric_limits<double>::min());
  }
}

void tell(const Fit& fit, const Blocks& blocks, std::vector<double> x, bool single,
          ManyReport* report, double* gradient) {
  const std::vector<double> g = fit.gradient(x);
  std::copy_n(g.begin(), x.size(), gradient);
  report->inner = dot(g.data(), x.data(), Fit::size(x));
  report->loss = fit.loss(x, report->inner);
  double loss = report->loss;
  if (single) {
    for (double& value : x) value = double(float(value));
    loss = fit.loss(x, dot(fit.gradient(x).data(), x.data(), Fit::size(x)));
  }
  report->intercept = fit.intercept(x);
  if (single) put_inside(blocks, x);
  report->objective = loss + blocks.value(x.data());
}

}  // namespace

ManyFits::ManyFits(const ManySquares& squares)
    : squares_(squares),
      samples_(squares.shares, squares.X.shape[squares.X.ndim - 2], squares.intercept),
      p_(squares.X.shape[squares.X.ndim - 1]) {
  if (squares.X.ndim != 2) return;
  shared_.emplace(samples_, p_);
  shared_->take(squares.X);
}

void ManyFits::run(const ManyRun& run) const {
  const Blocks blocks = blocks_of(run, p_);
  parallel_for(run.count, kFitsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    std::optional<Centred> own;
    if (!shared_) own.emplace(samples_, p_);
    for (int64_t k = begin; k < end; ++k) {
      if (own) own->take(matrix_of(squares_.X, run.fits[k]));
      run_one(run, run.fits[k], own ? *own : *shared_, blocks);
    }
  });
}

void ManyFits::run_one(const ManyRun& run, int64_t b, const Centred& X,
                       const Blocks& blocks) const {
  const std::function<bool()> never = [] { return false; };
  const Fit fit(X, samples_, squares_.Y + b * samples_.n);
  ManyReport* report = run.reports + b;
  report->scale = fit.scale(), report->largest = X.largest(), report->pull = fit.pull();
  const int64_t left = run.max_epochs - static_cast<int64_t>(report->epochs);
  std::vector<double> x(run.x + b * p_, run.x + (b + 1) * p_);
  report->epochs +=
      double(descend(X, fit, blocks, {run.tolerance * report->scale, 0.0, left, never}, x));
  std::copy(x.begin(), x.end(), run.x + b * p_);
  tell(fit, blocks, x, squares_.X.dtype == DType::float32, report, run.gradient + b * p_);
}

}  // namespace proxstep::cpu
