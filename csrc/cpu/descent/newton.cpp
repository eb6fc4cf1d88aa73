// Prox-Newton: the loss is replaced by its quadratic model, that is minimised by coordinate
// descent, and a step towards the minimiser is as long as the objective allows (Lee, Sun and
// Saunders, Proximal Newton-type methods, SIAM J. Optim. 2014). The square is its own model.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "../kernels.hpp"
#include "../pool.hpp"
#include "epochs.hpp"
#include "model.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kSamples = 1 << 13;  // of the pool
constexpr int kMostModels = 30;
constexpr int kMostHalvings = 30;
constexpr double kModelShare = 0.1;  // of the loss's violation that a model may leave
constexpr double kLeastBend = 1e-6;  // of saturated samples, so that steps stay bounded
constexpr int64_t kMostGram = 1024;  // columns

class Newton {
 public:
  explicit Newton(const Descent& descent)
      : descent_(descent), blocks_(descent), columns_(descent.X, blocks_.columns()) {
    for (const int64_t column : blocks_.columns()) x_.push_back(descent.x[column]);
    bend_.slope.resize(descent.X.n);
    bend_.bend.resize(descent.X.n);
    bend_.flat = quadratic() && !descent.shares;
    bend_.intercept = descent.intercept;
  }

  DescentReport run() {
    if (columns_.count() == 0) return report_;
    double value = evaluate(descent_.margins, true);
    while (report_.models < kMostModels && report_.epochs < descent_.max_epochs) {
      const EpochReport epochs = minimise_model();
      report_.epochs += epochs.count;
      ++report_.models;
      report_.estimate = quadratic() ? epochs.last : epochs.first;
      find_direction();
      if (quadratic()) return accept(1.0), finish();
      const bool moved = search(&value);
      if (!moved || report_.estimate <= descent_.tolerance || descent_.interrupted()) break;
      evaluate(descent_.margins, true);
    }
    return finish();
  }

 private:
  bool quadratic() const { return descent_.loss == 0; }

  double evaluate(const double* margins, bool derivatives) {
    LossPoints points{margins,
                      descent_.targets,
                      descent_.shares,
                      1.0 / double(descent_.X.n),
                      quadratic() ? 0.0 : kLeastBend,
                      {},
                      nullptr,
                      nullptr};
    std::copy_n(descent_.loss_settings, op::kMaxLossSettings, points.settings);
    if (derivatives) points.slope = bend_.slope.data(), points.bend = bend_.bend.data();
    const auto loop = tables().descent->losses[descent_.loss];
    const double value =
        sum_of_chunks([&](int64_t begin, int64_t end) { return loop(points, begin, end); });
    if (!derivatives) return value;
    bend_.slope_sum = sum_of_chunks([&](int64_t b, int64_t e) { return sum(bend_.slope, b, e); });
    bend_.bend_sum = sum_of_chunks([&](int64_t b, int64_t e) { return sum(bend_.bend, b, e); });
    return value;
  }

  static double sum(const std::vector<double>& values, int64_t begin, int64_t end) {
    double total = 0.0;
    for (int64_t i = begin; i < end; ++i) total += values[i];
    return total;
  }

  template <class Part>
  double sum_of_chunks(const Part& part) const {
    std::vector<double> parts((descent_.X.n + kSamples - 1) / kSamples);
    parallel_for(descent_.X.n, kSamples,
                 [&](int64_t begin, int64_t end, int64_t k) { parts[k] = part(begin, end); });
    double total = 0.0;
    for (const double value : parts) total += value;
    return total;
  }

  EpochReport minimise_model() {
    start_ = x_;
    curvature_.emplace(columns_, bend_);
    if (gram_pays()) {
      GramModel model(columns_, bend_, *curvature_);
      return descend_on(model);
    }
    ColumnModel model(columns_, bend_, *curvature_);
    return descend_on(model);
  }

  // A Gram matrix costs as much as count / 2 epochs but runs far faster through its operands.
  bool gram_pays() const {
    const int64_t count = columns_.count();
    if (count > kMostGram) return false;
    return columns_.sparse() ? count * count <= 8 * columns_.entries()
                             : count <= 2 * columns_.samples();
  }

  template <class Model>
  EpochReport descend_on(Model& model) {
    const double tolerance = std::max(descent_.tolerance, kModelShare * report_.estimate);
    Epochs<Model> epochs(model, blocks_, x_);
    return epochs.run({quadratic() ? descent_.tolerance : tolerance,
                       descent_.max_epochs - report_.epochs, descent_.interrupted});
  }

  // How x and the margins would change by a whole step.
  void find_direction() {
    direction_.assign(descent_.X.n, 0.0);
    double moment = 0.0;
    for (int64_t k = 0; k < columns_.count(); ++k) {
      const double d = x_[k] - start_[k];
      if (d == 0.0) continue;
      columns_.loops().add(columns_[k], d, direction_.data());
      moment += d * curvature_->first(k);
    }
    shift_ = bend_.shift(moment);
    for (double& value : direction_) value += shift_;
  }

  // Shortens the step until the objective falls; false where none is short enough.
  bool search(double* value) {
    const std::vector<double> whole = x_;
    const double before = *value + blocks_.value(start_.data());
    const double noise = 16 * std::numeric_limits<double>::epsilon() * std::abs(before);
    std::vector<double> margins(direction_.size());
    double step = 1.0;
    for (int k = 0; k < kMostHalvings; ++k, step *= 0.5) {
      for (std::size_t j = 0; j < x_.size(); ++j) {
        x_[j] = k ? start_[j] + step * (whole[j] - start_[j]) : whole[j];
      }
      for (std::size_t i = 0; i < margins.size(); ++i) {
        margins[i] = descent_.margins[i] + step * direction_[i];
      }
      const double now = evaluate(margins.data(), false);
      if (now + blocks_.value(x_.data()) <= before + noise) {
        *value = now;
        accept(step);
        return true;
      }
    }
    x_ = start_;
    return false;
  }

  void accept(double step) {
    for (std::size_t i = 0; i < direction_.size(); ++i) {
      descent_.margins[i] += step * direction_[i];
    }
    report_.intercept_change += step * shift_;
  }

  DescentReport finish() {
    for (std::size_t k = 0; k < x_.size(); ++k) descent_.x[blocks_.columns()[k]] = x_[k];
    return report_;
  }

  const Descent& descent_;
  Blocks blocks_;
  Columns columns_;
  Bend bend_;
  DescentReport report_;
  std::optional<Curvature> curvature_;
  std::vector<double> x_, start_, direction_;
  double shift_ = 0.0;
};

}  // namespace

DescentReport descend(const Descent& descent) { return Newton(descent).run(); }

}  // namespace proxstep::cpu
