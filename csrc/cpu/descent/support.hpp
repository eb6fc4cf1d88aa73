// Newton's step on the elements that the prox lets move, where epochs would crawl along a valley:
// semismooth Newton on x = prox(x - s g(x)). With D the prox's derivative it solves
//   (H_SS + (D^-1 - 1) / s) step = D^-1 (prox(x - s g) - x) / s
// (Li, Sun and Toh, A highly efficient semismooth Newton method for lasso, SIAM J. Optim. 2018).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "../kernels.hpp"
#include "blocks.hpp"
#include "cholesky.hpp"
#include "kernels.hpp"
#include "moving.hpp"

namespace proxstep::cpu {

template <class Model>
class Support {
 public:
  static constexpr std::int64_t kMost = 1024;  // elements

  Support(const Model& model, const Blocks& blocks, const std::vector<double>& x)
      : blocks_(blocks), x_(x), moving_(MovingElements<Model>(model, blocks, x).all()) {
    if (count() > kMost) moving_.clear();
    find_system(model);
    solve();
    for (int round = 0; round < kRounds && drop_blocked(); ++round) solve();
  }

  // A part of the step, without what of it leaves the penalty's domain or crosses a kink at 0.
  std::vector<double> moved(double length) const {
    std::vector<double> point = x_;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      double& at = point[moving_[i].place];
      at = held(moving_[i], at + length * step_[i]);
    }
    if (!blocks_.single()) put_groups_inside(point);
    return point;
  }

  // The part after which the first element is held; on the way the objective falls.
  double to_first_held() const {
    double length = 1.0;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      const double before = x_[moving_[i].place], after = before + step_[i];
      const double end = held(moving_[i], after);
      if (end != after && end != before) length = std::min(length, (end - before) / step_[i]);
    }
    for (const auto& [before, change] : along_groups()) {
      if (before > 0.0 && before + change < 0.0) length = std::min(length, before / -change);
    }
    return std::max(length, 0.0);
  }

 private:
  static constexpr double kNoStep = std::numeric_limits<double>::min();  // of which a prox projects
  // Of the diagonal, for groups: norms are straight, and a model may be along them.
  static constexpr double kDamping = 1e-6;
  static constexpr int kRounds = 8;  // of solves, each without what the last one blocks

  std::int64_t count() const { return static_cast<std::int64_t>(moving_.size()); }

  // Where an element stops on its way: at a kink at 0, or where the penalty becomes infinite.
  double held(const Moving& element, double after) const {
    const bool crosses = after * element.target < 0.0 && kinked_at_zero(element.place);
    return crosses ? 0.0 : blocks_.prox(element.place, after, kNoStep);
  }

  // Groups are zero that pass it on their way, and meet what bounds their norms.
  void put_groups_inside(std::vector<double>& point) const {
    std::vector<double> along(blocks_.count(), 0.0);
    for (const Moving& element : moving_) along[element.group] += element.u * point[element.place];
    for (std::int64_t b = 0; b < blocks_.count(); ++b) {
      double* x = point.data() + blocks_.begin(b);
      if (along[b] < 0.0) std::fill_n(x, blocks_.size(b), 0.0);
      blocks_.prox_block(b, x, kNoStep);
    }
  }

  // Where the groups are, and how far they move, along what their prox keeps.
  std::vector<std::pair<double, double>> along_groups() const {
    std::vector<std::pair<double, double>> along(blocks_.count());
    for (std::size_t i = 0; i < moving_.size(); ++i) {
      along[moving_[i].group].first += moving_[i].u * x_[moving_[i].place];
      along[moving_[i].group].second += moving_[i].u * step_[i];
    }
    return along;
  }

  bool kinked_at_zero(std::int64_t k) const {
    constexpr double kNearZero = 1e-300;  // less than any strength
    return blocks_.prox(k, kNearZero, 1.0) == 0.0;
  }

  void find_system(const Model& model) {
    const double damping = blocks_.single() ? 0.0 : kDamping;
    system_.resize(count() * count());
    for (std::int64_t i = 0; i < count(); ++i) {
      const Moving& row = moving_[i];
      for (std::int64_t j = 0; j <= i; ++j) {
        const double along = row.group == moving_[j].group ? row.extra_along * moving_[j].u : 0.0;
        system_[i * count() + j] = model.hessian(row.place, moving_[j].place) + along * row.u;
      }
      double& diagonal = system_[i * count() + i];
      diagonal = (1.0 + damping) * diagonal + row.extra;
    }
  }

  void solve() {
    std::vector<double> factors = system_;
    step_.clear();
    for (const Moving& element : moving_) step_.push_back(element.pull);
    const auto loop = tables().descent->dense[0].dot;
    factorise(factors, count(), [loop](const double* a, const double* b, std::int64_t n) {
      return loop({a, nullptr, n}, b);
    });
    solve_factorised(factors, count(), step_.data());
  }

  // Leaves out what the step would push against where it is held: of the rest alone the step is
  // one along which the objective falls. Returns whether there was any.
  bool drop_blocked() {
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < count(); ++i) {
      const double before = x_[moving_[i].place], after = before + step_[i];
      if (after == before || held(moving_[i], after) != before) kept.push_back(i);
    }
    const bool dropped = static_cast<std::int64_t>(kept.size()) < count();
    if (dropped) keep(kept);
    return dropped;
  }

  // In place: no entry moves behind one that is still to be read.
  void keep(const std::vector<std::int64_t>& kept) {
    const std::size_t left = kept.size(), all = moving_.size();
    for (std::size_t i = 0; i < left; ++i) {
      moving_[i] = moving_[kept[i]];
      for (std::size_t j = 0; j <= i; ++j) system_[i * left + j] = system_[kept[i] * all + kept[j]];
    }
    moving_.resize(left);
    system_.resize(left * left);
  }

  const Blocks& blocks_;
  const std::vector<double>& x_;
  std::vector<Moving> moving_;
  std::vector<double> step_;
  std::vector<double> system_;  // its lower triangle
};

}  // namespace proxstep::cpu
