#include "small_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "../kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

// As of a problem: where y is constant, zero predictions stand for the null model.
double scale_of(const Targets& targets) {
  const double all = targets.mean * targets.mean;
  constexpr double kLeast = std::numeric_limits<double>::min();  // 0 means that none was begun
  if (targets.square != 0.0) return std::max(0.5 * targets.square, kLeast);
  return all > 0.0 ? std::max(0.5 * all, kLeast) : 1.0;
}

}  // namespace

FitWorker::FitWorker(const ManyRun& run, const Blocks& blocks, int64_t p, bool single)
    : run_(run),
      blocks_(blocks),
      p_(p),
      single_(single),
      x_(whole_lines(p) + kLine),
      gradient_(whole_lines(p) + kLine),
      history_(kSmallHistory * whole_lines(p)) {}

void FitWorker::run(const Centred& X, const Targets& targets, int64_t fit) {
  ManyReport* report = run_.reports + fit;
  report->scale = scale_of(targets), report->largest = X.largest();
  report->pull = norm(targets.c.data());
  std::copy_n(run_.x + fit * p_, p_, x_.data());
  const int64_t left = run_.max_epochs - static_cast<int64_t>(report->epochs);
  const SmallFit small = small_fit(X, targets, run_.tolerance * report->scale, left);
  report->epochs += double(descend(small));
  std::copy_n(x_.data(), p_, run_.x + fit * p_);
  find_gradient(small);  // anew: that of the descent has its rounding
  std::copy_n(gradient_.data(), p_, run_.gradient + fit * p_);
  tell(small, targets, report);
  report->intercept = targets.mean - dot(X.means(), x_.data());
  if (single_) put_inside();
  report->objective += blocks_.value(x_.data());
}

SmallFit FitWorker::small_fit(const Centred& X, const Targets& targets, double tolerance,
                              int64_t most) {
  const double* weights = static_cast<const double*>(run_.element.weights);
  return {p_,      X.width(), X.gram(),         targets.c.data(), X.steps(), run_.element.settings,
          weights, x_.data(), gradient_.data(), history_.data(),  tolerance, most};
}

void FitWorker::find_gradient(const SmallFit& fit) {
  tables().many->gradient(fit, x_.data(), gradient_.data());
}

// Where the first epoch finds nothing worth a move, the start stays: zeros are exact.
int64_t FitWorker::descend(const SmallFit& fit) {
  const std::vector<double> start(x_.data(), x_.data() + p_);
  find_gradient(fit);
  const SmallReport report = tables().many->descend[run_.element.kind](fit);
  if (report.first <= fit.tolerance) std::copy(start.begin(), start.end(), x_.data());
  return report.epochs;
}

// The loss, for now without the penalty.
void FitWorker::tell(const SmallFit& fit, const Targets& targets, ManyReport* report) {
  report->inner = dot(gradient_.data(), x_.data());
  report->loss = report->objective = loss(targets, report->inner);
  if (!single_) return;
  round_to_single();
  find_gradient(fit);
  report->objective = loss(targets, dot(gradient_.data(), x_.data()));
}

void FitWorker::round_to_single() {
  for (int64_t k = 0; k < p_; ++k) x_.data()[k] = double(float(x_.data()[k]));
}

// What was rounded out of the penalty's domain counts as on its edge.
void FitWorker::put_inside() {
  for (int64_t k = 0; k < p_; ++k) {
    x_.data()[k] = blocks_.prox(k, x_.data()[k], std::numeric_limits<double>::min());
  }
}

double FitWorker::dot(const double* a, const double* b) const {
  return std::inner_product(a, a + p_, b, 0.0);
}

// In units of the largest number: squares of gradients may overflow where those of X and y do not.
double FitWorker::norm(const double* values) const {
  double largest = 0.0, sum = 0.0;
  for (int64_t k = 0; k < p_; ++k) {
    if (!(std::abs(values[k]) <= largest)) largest = std::abs(values[k]);  // NaN stays
    if (std::isnan(largest)) return largest;
  }
  if (largest == 0.0 || std::isinf(largest)) return largest;
  for (int64_t k = 0; k < p_; ++k) sum += (values[k] / largest) * (values[k] / largest);
  return largest * std::sqrt(sum);
}

double FitWorker::loss(const Targets& targets, double inner) const {
  const double value = targets.square - dot(targets.c.data(), x_.data()) + inner;
  return value < 0.0 ? 0.0 : 0.5 * value;  // below 0 by rounding only; NaN stays
}

}  // namespace proxstep::cpu
