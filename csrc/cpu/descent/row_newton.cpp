#include "row_newton.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "newton_limits.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int kSweeps = 3;  // over the rows of a block
constexpr double kArmijo = 1e-4;

// Each row as one block: of a penalty of elements, with a penalty of norms that is none.
Descent as_blocks(const RowsDescent& rows) {
  Descent blocks;
  blocks.X.p = rows.X.p * rows.outputs;
  blocks.blocks = rows.rows;
  blocks.count = rows.count;
  blocks.element = rows.element;
  blocks.groups = rows.groups;
  blocks.groups.over = Over::segments;
  blocks.groups.length = rows.outputs;
  return blocks;
}

}  // namespace

RowNewton::RowNewton(const RowsDescent& descent)
    : descent_(descent),
      blocks_(as_blocks(descent)),
      owned_(descent.X.sparse() ? sparse_rows(descent) : dense_rows(descent)),
      model_(*owned_) {
  const int64_t k = descent.outputs;
  for (int64_t j = 0; j < descent.count; ++j) {
    const double* from = descent.x + descent.rows[j] * k;
    x_.insert(x_.end(), from, from + k);
  }
  x_.insert(x_.end(), k, 0.0);
  first_ = x_;
  d_.resize(k + kPad), target_.resize(k + kPad);  // loops over a sparse row read the padding
}

RowsReport RowNewton::run() {
  double value = model_.evaluate(descent_.margins);
  while (report_.models < kMostModels && report_.epochs < descent_.max_epochs) {
    model_.take();
    const double left = minimise_model();
    ++report_.models;
    const bool moved = search(&value);
    const double reached = descent_.softmax ? estimate_ : left;
    if (!moved || reached <= descent_.tolerance || descent_.interrupted()) break;
  }
  finish();
  return report_;
}

double RowNewton::tolerance() const {
  return descent_.softmax ? std::max(descent_.tolerance, kModelShare * estimate_)
                          : descent_.tolerance;
}

// Returns the estimate of what the last epoch left.
double RowNewton::minimise_model() {
  start_ = x_;
  anderson_.restart();
  anderson_.push(x_);
  double left = 0.0;
  for (int64_t count = 0; report_.epochs < descent_.max_epochs; ++count) {
    left = epoch();
    ++report_.epochs;
    if (count == 0) estimate_ = left;
    if (left <= tolerance() || descent_.interrupted()) break;
    if (anderson_.push(x_)) try_candidate();
  }
  return left;
}

// The largest gradient left behind times the size of x: what it may cost, to first order.
double RowNewton::epoch() {
  largest_ = largest_step_ = size_ = 0.0;
  model_.settle(intercepts());
  for (int64_t j = 0; j < descent_.count; j += model_.block_rows()) move_block(j);
  return largest_ * std::max(size_, largest_step_);
}

// What a step moves is counted once, the sweeps after the first cost little: no sample is read.
void RowNewton::move_block(int64_t first) {
  const int64_t last = std::min(first + model_.block_rows(), descent_.count);
  model_.enter(first);
  for (int64_t j = first; j < last; ++j) note(j, move_row(j));
  for (int k = 1; k < kSweeps && last - first > 1; ++k) {
    for (int64_t j = first; j < last; ++j) move_row(j);
  }
}

// Returns whether it moved, d_ being the step.
bool RowNewton::move_row(int64_t j) {
  double* x = row(j);
  bool moved = false;
  find_target(j, model_.curvature(j), model_.gradient(j));
  for (int64_t c = 0; c < descent_.outputs; ++c) {
    d_[c] = target_[c] - x[c];
    x[c] = target_[c];
    moved = moved || d_[c] != 0.0;
  }
  if (moved) model_.change(j, d_.data());
  return moved;
}

void RowNewton::note(int64_t j, bool moved) {
  const double *x = row(j), *h = model_.curvature(j);
  for (int64_t c = 0; c < descent_.outputs; ++c) size_ += std::abs(x[c]);
  for (int64_t c = 0; moved && c < descent_.outputs; ++c) {
    largest_ = std::max(largest_, h[c] * std::abs(d_[c]));
    largest_step_ = std::max(largest_step_, std::abs(d_[c]));
  }
}

// A prox step with a curvature per element, or the largest for a whole row.
void RowNewton::find_target(int64_t j, const double* h, const double* g) {
  const double* x = row(j);
  const int64_t k = descent_.outputs;
  if (descent_.groups.over == Over::nothing) {
    for (int64_t c = 0; c < k; ++c) {
      target_[c] = h[c] > 0.0 ? blocks_.prox(j * k + c, x[c] - g[c] / h[c], 1.0 / h[c]) : x[c];
    }
    return;
  }
  std::copy_n(x, k, target_.data());
  const double largest = *std::max_element(h, h + k);
  if (!(largest > 0.0)) return;
  for (int64_t c = 0; c < k; ++c) target_[c] -= g[c] / largest;
  blocks_.prox_block(j, target_.data(), 1.0 / largest);
}

void RowNewton::try_candidate() {
  std::vector<double> change = anderson_.candidate();
  const double before = blocks_.value(x_.data()), after = blocks_.value(change.data());
  for (std::size_t e = 0; e < change.size(); ++e) change[e] -= x_[e];
  const auto margins = model_.margins_change(change, &change[descent_.count * descent_.outputs]);
  model_.save();
  if (model_.apply(margins) + after <= before) {
    x_ = anderson_.candidate();
  } else {
    model_.restore();
  }
  anderson_.push(x_);
}

// Shortens the step until the objective falls by a part of what the model's slope promises (Tseng
// and Yun 2009); false where none is short enough.
bool RowNewton::search(double* value) {
  const std::vector<double> whole = x_, margins(descent_.margins,
                                                descent_.margins + descent_.X.n * descent_.outputs);
  std::vector<double> change = whole;
  for (std::size_t e = 0; e < change.size(); ++e) change[e] -= start_[e];
  const auto direction = model_.margins_change(change, &change[descent_.count * descent_.outputs]);
  const double penalty = blocks_.value(start_.data()), before = *value + penalty;
  const double slope = model_.slope(direction) + blocks_.value(whole.data()) - penalty;
  const double noise = 16 * std::numeric_limits<double>::epsilon() * std::abs(before);
  double step = 1.0;
  for (int k = 0; k < kMostHalvings; ++k, step *= 0.5) {
    for (std::size_t e = 0; k && e < x_.size(); ++e) x_[e] = start_[e] + step * change[e];
    for (std::size_t e = 0; e < margins.size(); ++e) {
      descent_.margins[e] = margins[e] + step * direction[e];
    }
    const double now = model_.evaluate(descent_.margins);
    if (now + blocks_.value(x_.data()) <= before + kArmijo * step * std::min(slope, 0.0) + noise) {
      *value = now;
      return true;
    }
  }
  x_ = start_;
  std::copy(margins.begin(), margins.end(), descent_.margins);
  return false;
}

void RowNewton::finish() {
  const int64_t k = descent_.outputs;
  report_.intercept_change.assign(intercepts(), intercepts() + k);
  for (int64_t j = 0; j < descent_.count; ++j) {
    std::copy_n(row(j), k, descent_.x + descent_.rows[j] * k);
    for (int64_t c = 0; descent_.means && descent_.X.sparse() && c < k; ++c) {
      report_.intercept_change[c] +=
          descent_.means[descent_.rows[j]] * (row(j)[c] - first_[j * k + c]);
    }
  }
}

RowsReport descend_rows(const RowsDescent& descent) {
  if (descent.count == 0) return {std::vector<double>(descent.outputs, 0.0), 0, 0};
  return RowNewton(descent).run();
}

}  // namespace proxstep::cpu
