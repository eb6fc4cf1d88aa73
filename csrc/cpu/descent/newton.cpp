#include "newton.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../lanes.hpp"
#include "../loss.hpp"
#include "../pool.hpp"
#include "../registry.hpp"
#include "newton_limits.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kSamples = 1 << 13;  // of the pool
constexpr int64_t kMostEpochs = 100;   // of one model
constexpr double kLeastShare = 1e-6;   // of the mean bend, below which steps would be boundless
constexpr int64_t kMostGram = 512;     // columns
constexpr int kFewHalvings = 4;        // uphill even the last of many may hide in rounding

double sum(const std::vector<double>& values) {
  const int64_t n = static_cast<int64_t>(values.size());
  std::vector<double> parts((n + kSamples - 1) / kSamples);
  parallel_for(n, kSamples, [&](int64_t begin, int64_t end, int64_t k) {
    parts[k] = lane_sum(end - begin, [&](int64_t i) { return values[begin + i]; });
  });
  double total = 0.0;
  for (const double part : parts) total += part;
  return total;
}

}  // namespace

Newton::Newton(const Descent& descent)
    : descent_(descent),
      blocks_(descent),
      columns_(descent.X, blocks_.columns()),
      margins_(descent.margins, descent.margins + descent.X.n) {
  for (const int64_t column : blocks_.columns()) x_.push_back(descent.x[column]);
  bend_.slope.resize(descent.X.n);
  bend_.bend.resize(descent.X.n);
  bend_.flat = quadratic() && !descent.shares;
  bend_.intercept = descent.means != nullptr;
}

DescentReport Newton::run() {
  double value = evaluate(margins_.data(), true);
  while (report_.models < kMostModels && report_.epochs < descent_.max_epochs) {
    const EpochReport epochs = minimise_model();
    report_.epochs += epochs.count;
    credit_ += epochs.count - epochs.paid;
    ++report_.models;
    report_.estimate = quadratic() ? epochs.last : epochs.first;
    if (quadratic()) break;
    find_direction();
    last_ = report_.estimate <= descent_.tolerance;
    const bool moved = search(&value) || (!last_ && turn_local());
    if (!moved || last_ || descent_.interrupted()) break;
  }
  for (std::size_t k = 0; k < x_.size(); ++k) descent_.x[blocks_.columns()[k]] = x_[k];
  return report_;
}

// Where the penalty is concave the model's least value may lie behind a rise of the objective, far
// from where the model holds. From here on convex lines stand for the penalty in the models, which
// lead downhill. Returns whether that is new; with a convex penalty the run ended in rounding.
bool Newton::turn_local() {
  if (local_ || blocks_.convex()) return false;
  local_ = true;
  evaluate(margins_.data(), true);
  return true;
}

double Newton::evaluate(const double* margins, bool derivatives) {
  const int64_t n = descent_.X.n;
  const double scale = descent_.shares ? 1.0 : 1.0 / double(n);
  MarginRows<double> rows{{margins, descent_.targets, nullptr, descent_.shares, scale},
                          nullptr,
                          descent_.loss_settings};
  if (derivatives) rows.grad = bend_.slope.data(), rows.bend = bend_.bend.data();
  const double value = margin_loss(descent_.loss, rows, n);
  if (!derivatives) return value;
  const double mean = quadratic() ? 0.0 : kLeastShare * sum(bend_.bend);
  const double least = scale * std::max(loss_info(descent_.loss).least_bend, mean);
  for (int64_t i = 0; i < n; ++i) {
    const double share = descent_.shares ? descent_.shares[i] : 1.0;
    bend_.bend[i] = std::max(bend_.bend[i], least * share);
  }
  bend_.slope_sum = sum(bend_.slope), bend_.bend_sum = sum(bend_.bend);
  return value;
}

EpochReport Newton::minimise_model() {
  start_ = x_;
  curvature_.emplace(columns_, bend_);
  if (gram_pays()) {
    if (!gram_rows_) gram_rows_.emplace(columns_);
    GramModel model = gram_model(columns_, *gram_rows_, bend_, *curvature_);
    return descend_on(model);
  }
  ColumnModel model(columns_, bend_, *curvature_);
  return descend_on(model);
}

// A Gram matrix costs as much as some epochs, and makes them short.
bool Newton::gram_pays() const {
  const int64_t count = columns_.count();
  if (quadratic() || count > kMostGram) return false;  // of the square there is a lasting one
  return columns_.sparse() ? count * count <= 8 * columns_.entries()
                           : count <= 2 * columns_.samples();
}

template <class Model>
EpochReport Newton::descend_on(Model& model) {
  const int64_t left = descent_.max_epochs - report_.epochs;
  std::optional<Blocks> lines;
  if (local_) lines.emplace(blocks_.lines_at(x_.data()));
  Epochs<Model> epochs(model, lines ? *lines : blocks_, x_);
  if (quadratic()) return epochs.run({descent_.tolerance, 0.0, left, 0, descent_.interrupted});
  return epochs.run({descent_.tolerance, kModelShare, std::min(left, kMostEpochs), credit_,
                     descent_.interrupted});
}

// How x and the margins would change by a whole step.
void Newton::find_direction() {
  direction_.assign(descent_.X.n, 0.0);
  double moment = 0.0, mean = 0.0;
  for (int64_t k = 0; k < columns_.count(); ++k) {
    const double d = x_[k] - start_[k];
    if (d == 0.0) continue;
    columns_.loops().add(columns_[k], d, direction_.data());
    moment += d * curvature_->first(k);
    if (descent_.means) mean += d * descent_.means[columns_.chosen()[k]];
  }
  shift_ = bend_.shift(moment);
  centred_shift_ = shift_ + mean;
  for (double& value : direction_) value += shift_;
}

// Shortens the step until the objective falls; false where none is short enough.
bool Newton::search(double* value) {
  const std::vector<double> whole = x_;
  const double before = *value + blocks_.value(start_.data());
  const double noise = 16 * std::numeric_limits<double>::epsilon() * std::abs(before);
  std::vector<double> margins(direction_.size());
  double step = 1.0;
  const int most = local_ || blocks_.convex() ? kMostHalvings : kFewHalvings;
  for (int k = 0; k < most; ++k, step *= 0.5) {
    for (std::size_t j = 0; j < x_.size(); ++j) {
      x_[j] = k ? start_[j] + step * (whole[j] - start_[j]) : whole[j];
    }
    for (std::size_t i = 0; i < margins.size(); ++i) {
      margins[i] = margins_[i] + step * direction_[i];
    }
    const bool derivatives = k == 0 && !last_;  // most whole steps are taken
    const double now = evaluate(margins.data(), derivatives);
    if (now + blocks_.value(x_.data()) <= before + noise) {
      *value = now;
      margins_ = margins;
      if (!derivatives && !last_) evaluate(margins_.data(), true);
      report_.intercept_change += step * centred_shift_;
      return true;
    }
  }
  x_ = start_;
  return false;
}

}  // namespace proxstep::cpu
