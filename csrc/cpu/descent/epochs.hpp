// Coordinate descent on a quadratic model plus the penalty: epochs over all blocks, each block
// moved to its least value given the others, sped up by Anderson's combinations.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "anderson.hpp"
#include "blocks.hpp"
#include "support.hpp"

namespace proxstep::cpu {

// When to stop: at an estimated suboptimality, at a share of the first epoch's, or after so many
// epochs. Steps on the support have a credit of earlier epochs.
struct EpochLimits {
  double tolerance, share;
  std::int64_t most, credit;
  const std::function<bool()>& interrupted;
};

struct EpochReport {
  double first = 0.0, last = 0.0;    // estimates of the first and the last epoch
  std::int64_t count = 0, paid = 0;  // paid: what steps on the support cost, in epochs
};

template <class Model>
class Epochs {
 public:
  Epochs(Model& model, const Blocks& blocks, std::vector<double>& x)
      : model_(model), blocks_(blocks), x_(x) {
    if (!blocks.single()) find_block_bounds();
  }

  EpochReport run(const EpochLimits& limits) {
    EpochReport report;
    std::int64_t next_support = limits.credit < kFewest ? kFewest : kSoon;
    push();
    while (report.count < limits.most && !limits.interrupted()) {
      report.last = epoch();
      if (report.count++ == 0) report.first = report.last;
      if (report.last <= std::max(limits.tolerance, limits.share * report.first)) break;
      if (report.count >= next_support) {
        const std::int64_t cost = change_supports(limits.credit + report.count - report.paid);
        report.paid += cost;
        if (stuck(report.last)) break;
        next_support = report.count + std::max(cost, kFewest);
      } else if (push()) {
        try_point(anderson_.candidate(), anderson_.candidate_affine());
      }
    }
    return report;
  }

 private:
  static constexpr std::int64_t kFewest = 50;        // epochs before Newton's step on the support
  static constexpr std::int64_t kSoon = 10;          // where many went before
  static constexpr std::int64_t kMostSupports = 10;  // at once
  static constexpr std::int64_t kLeastCost = 10;     // epochs, of one
  static constexpr double kIdle = 0.9;               // of an estimate, that is no progress

  // Whether it is a step: none belongs to a curvature of 0, or to one so small that 1 / it is inf.
  static bool usable(double s) { return s > 0.0 && std::isfinite(s); }

  bool push() {
    model_.settle();
    return anderson_.push(x_, model_.state());
  }

  // The largest gradient left behind times the size of x: what it may cost, to first order.
  double epoch() {
    largest_ = size_ = 0.0;
    model_.settle();
    for (std::int64_t b = 0; b < blocks_.count(); ++b) {
      blocks_.single() ? move_element(b) : move_block(b);
    }
    return largest_ * std::max(size_, largest_step_);
  }

  void move_element(std::int64_t k) {
    const double curvature = model_.curvature(k);
    const double s = 1.0 / curvature, before = x_[k];
    if (!usable(s)) return;
    const double moved = blocks_.prox(k, before - s * model_.gradient(k), s);
    const double d = moved - before;
    note(moved, d, curvature);
    if (d != 0.0) model_.change(k, d);
    x_[k] = moved;
  }

  void note(double moved, double d, double curvature) {
    size_ += std::abs(moved);
    largest_ = std::max(largest_, curvature * std::abs(d));
    largest_step_ = std::max(largest_step_, std::abs(d));
  }

  // Proximal steps on the block's own quadratic, whose Hessian is small.
  void move_block(std::int64_t b);
  void find_block_bounds();
  bool try_point(std::vector<double> point, const std::vector<double>* state = nullptr);
  std::int64_t change_supports(std::int64_t credit);
  bool stuck(double estimate);
  bool change_support();

  Model& model_;
  const Blocks& blocks_;
  std::vector<double>& x_;
  Anderson anderson_;
  std::vector<double> hessians_, bounds_;  // of the blocks, one behind the other
  std::vector<std::size_t> places_;
  std::vector<double> gradient_, point_, target_;
  double largest_ = 0.0, size_ = 0.0, largest_step_ = 0.0;
  bool refused_ = false;                                         // Newton's step
  double at_refusal_ = std::numeric_limits<double>::infinity();  // the estimate then
};

// Goes to a point, of which the model's state may be known, where the objective is not higher, and
// starts Anderson's combinations anew.
template <class Model>
bool Epochs<Model>::try_point(std::vector<double> point, const std::vector<double>* state) {
  std::vector<double> changes = point;
  const double before = blocks_.value(x_.data()), after = blocks_.value(point.data());
  for (std::size_t k = 0; k < changes.size(); ++k) changes[k] -= x_[k];
  model_.settle();
  model_.save();
  if (state) model_.take(*state);
  for (std::size_t k = 0; !state && k < changes.size(); ++k) {
    if (changes[k] != 0.0) model_.change(static_cast<std::int64_t>(k), changes[k]);
  }
  model_.settle();
  const bool lower = model_.rise(changes) + after <= before;
  lower ? x_.swap(point) : model_.restore();
  anderson_.restart();
  push();
  return lower;
}

// Newton's steps on supports until one lasts, as far as the credit goes. Returns what they cost.
template <class Model>
std::int64_t Epochs<Model>::change_supports(std::int64_t credit) {
  const std::int64_t size = std::count_if(x_.begin(), x_.end(), [](double v) { return v != 0.0; });
  const std::int64_t each = std::max(Model::support_cost(size), kLeastCost);
  const std::int64_t most = size > Support<Model>::kMost ? 0 : credit / each;
  std::int64_t steps = 0;
  refused_ = false;
  while (steps < std::min(most, kMostSupports)) {
    ++steps;
    if (!change_support()) break;
  }
  return steps * each;
}

// Whether groups move within rounding only, which their estimate may hide: their steps are those of
// the longest column. Then neither Newton's step nor epochs lead on.
template <class Model>
bool Epochs<Model>::stuck(double estimate) {
  if (blocks_.single() || !refused_) return false;
  const bool idle = estimate >= kIdle * at_refusal_;
  at_refusal_ = estimate;
  return idle;
}

// Newton's step on the support; true where another may follow, as it led to another support or
// the norms of groups have bent.
template <class Model>
bool Epochs<Model>::change_support() {
  const Support<Model> support(model_, blocks_, x_);
  const double cut = support.to_first_held();
  for (const double length : {1.0, 0.5, 0.25, 0.125, cut}) {
    if (try_point(support.moved(length))) return cut < 1.0 || !blocks_.single();
  }
  refused_ = true;
  return false;
}

}  // namespace proxstep::cpu

#include "block_epochs.hpp"
