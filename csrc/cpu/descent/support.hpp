// Newton's step on the elements that the prox lets move, where epochs would crawl along a valley:
// semismooth Newton on x = prox(x - s g(x)). With d the prox's slope it solves
//   (H_SS + diag((1 / d - 1) / s)) step = (prox(x - s g) - x) / (d s)
// (Li, Sun and Toh, A highly efficient semismooth Newton method for lasso, SIAM J. Optim. 2018).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../kernels.hpp"
#include "blocks.hpp"
#include "cholesky.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {

template <class Model>
class Support {
 public:
  static constexpr std::int64_t kMost = 1024;  // elements

  Support(const Model& model, const Blocks& blocks, const std::vector<double>& x)
      : blocks_(blocks), x_(x) {
    for (std::size_t k = 0; k < x.size(); ++k) note(model, static_cast<std::int64_t>(k));
    if (count() > kMost) keep({});
    find_system(model);
    solve();
    for (int round = 0; round < kRounds && drop_blocked(); ++round) solve();
  }

  // A part of the step, without what of it leaves the penalty's domain or crosses a kink at 0.
  std::vector<double> moved(double length) const {
    std::vector<double> point = x_;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      point[places_[i]] = held(i, point[places_[i]] + length * step_[i]);
    }
    return point;
  }

  // The part after which the first element is held; on the way the objective falls.
  double to_first_held() const {
    double length = 1.0;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      const double before = x_[places_[i]], after = before + step_[i], end = held(i, after);
      if (end != after && end != before) length = std::min(length, (end - before) / step_[i]);
    }
    return std::max(length, 0.0);
  }

 private:
  static constexpr double kExactSlope = 1e-10;  // closer to 1 it is rounding
  static constexpr double kSameSlope = 1e-6;    // likewise, of chords to both sides of a point
  static constexpr int kProbes = 6;             // after which the point is a kink
  static constexpr int kRounds = 8;             // of solves, each without what the last one blocks

  std::int64_t count() const { return static_cast<std::int64_t>(places_.size()); }

  // Where element i stops on its way: at a kink at 0, or where the penalty becomes infinite.
  double held(std::size_t i, double after) const {
    constexpr double kNoStep = std::numeric_limits<double>::min();  // of which a prox projects
    const bool crosses = after * targets_[i] < 0.0 && kinked_at_zero(places_[i]);
    return crosses ? 0.0 : blocks_.prox(places_[i], after, kNoStep);
  }

  bool kinked_at_zero(std::int64_t k) const {
    constexpr double kNearZero = 1e-300;  // less than any strength
    return blocks_.prox(k, kNearZero, 1.0) == 0.0;
  }

  void note(const Model& model, std::int64_t k) {
    const double curvature = model.curvature(k), s = 1.0 / curvature;
    if (!(s > 0.0) || !std::isfinite(s)) return;
    const double z = x_[k] - s * model.gradient(k), target = blocks_.prox(k, z, s);
    double slope = target != 0.0 ? slope_at(k, z, s, target) : 0.0;
    if (std::abs(slope - 1.0) <= kExactSlope) slope = 1.0;
    if (!(slope > kExactSlope)) return;
    places_.push_back(k);
    targets_.push_back(target);
    extra_.push_back((1.0 / slope - 1.0) * curvature);
    pull_.push_back((target - x_[k]) * curvature / slope);
  }

  // Of the piece of the prox that z lies on: chords to both sides, short enough to be the same.
  double slope_at(std::int64_t k, double z, double s, double target) const {
    double h = 0.5 * target, inner = 0.0;  // inwards 0 is as far from z - h as z
    for (int probe = 0; probe < kProbes; ++probe, h *= 0.125) {
      inner = (target - blocks_.prox(k, z - h, s)) / h;
      const double outer = (blocks_.prox(k, z + h, s) - target) / h;
      if (std::abs(inner - outer) <= kSameSlope * std::max(inner, outer)) break;
    }
    return inner;
  }

  void find_system(const Model& model) {
    system_.resize(count() * count());
    for (std::int64_t i = 0; i < count(); ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        system_[i * count() + j] = model.hessian(places_[i], places_[j]);
      }
      system_[i * count() + i] += extra_[i];
    }
  }

  void solve() {
    std::vector<double> factors = system_;
    step_ = pull_;
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
      const double before = x_[places_[i]], after = before + step_[i];
      if (after == before || held(i, after) != before) kept.push_back(i);
    }
    const bool dropped = static_cast<std::int64_t>(kept.size()) < count();
    if (dropped) keep(kept);
    return dropped;
  }

  // In place: no entry moves behind one that is still to be read.
  void keep(const std::vector<std::int64_t>& kept) {
    const std::size_t left = kept.size(), all = places_.size();
    for (std::size_t i = 0; i < left; ++i) {
      places_[i] = places_[kept[i]], targets_[i] = targets_[kept[i]], pull_[i] = pull_[kept[i]];
      for (std::size_t j = 0; j <= i; ++j) system_[i * left + j] = system_[kept[i] * all + kept[j]];
    }
    places_.resize(left), targets_.resize(left), pull_.resize(left);
    system_.resize(left * left);
  }

  const Blocks& blocks_;
  const std::vector<double>& x_;
  std::vector<std::int64_t> places_;
  std::vector<double> targets_, extra_, pull_, step_;
  std::vector<double> system_;  // its lower triangle
};

}  // namespace proxstep::cpu
