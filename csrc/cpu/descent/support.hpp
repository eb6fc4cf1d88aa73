// Newton's step on the elements that the prox lets move, where epochs would crawl along a valley:
// semismooth Newton on x = prox(x - s g(x)). With d the prox's slope it solves
//   (H_SS + diag((1 / d - 1) / s)) step = (prox(x - s g) - x) / (d s)
// (Li, Sun and Toh, A highly efficient semismooth Newton method for lasso, SIAM J. Optim. 2018).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
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

  Support(const Model& model, const Blocks& blocks, const std::vector<double>& x) : x_(x) {
    for (std::size_t k = 0; k < x.size(); ++k) note(model, blocks, static_cast<std::int64_t>(k));
    if (static_cast<std::int64_t>(places_.size()) > kMost) places_.clear(), step_.clear();
    solve(model);
  }

  // A part of the step, without the elements that would change their sign.
  std::vector<double> moved(double length) const {
    std::vector<double> point = x_;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      const double after = point[places_[i]] + length * step_[i];
      point[places_[i]] = after * targets_[i] < 0.0 ? 0.0 : after;
    }
    return point;
  }

  // The part after which the first element becomes 0; on the way the objective falls.
  double to_first_zero() const {
    double length = 1.0;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      const double before = x_[places_[i]], after = before + step_[i];
      const bool crosses = before != 0.0 && after * targets_[i] < 0.0;
      if (crosses) length = std::min(length, before / (before - after));
    }
    return std::max(length, 0.0);
  }

 private:
  static constexpr double kExactSlope = 1e-10;  // closer to 1 it is rounding

  void note(const Model& model, const Blocks& blocks, std::int64_t k) {
    const double curvature = model.curvature(k), s = 1.0 / curvature;
    if (!(s > 0.0) || !std::isfinite(s)) return;
    const double z = x_[k] - s * model.gradient(k), target = blocks.prox(k, z, s);
    const double near = 0.5 * target;  // as far from z as from 0: no kink lies between
    double slope = target != 0.0 ? (target - blocks.prox(k, z - near, s)) / near : 0.0;
    if (std::abs(slope - 1.0) <= kExactSlope) slope = 1.0;
    if (!(slope > kExactSlope)) return;
    places_.push_back(k);
    targets_.push_back(target);
    extra_.push_back((1.0 / slope - 1.0) * curvature);
    step_.push_back((target - x_[k]) * curvature / slope);
  }

  void solve(const Model& model) {
    const std::int64_t count = static_cast<std::int64_t>(places_.size());
    std::vector<double> system(count * count);
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        system[i * count + j] = model.hessian(places_[i], places_[j]);
      }
      system[i * count + i] += extra_[i];
    }
    const auto loop = tables().descent->dense[0].dot;
    factorise(system, count, [loop](const double* a, const double* b, std::int64_t n) {
      return loop({a, nullptr, n}, b);
    });
    solve_factorised(system, count, step_.data());
  }

  const std::vector<double>& x_;
  std::vector<std::int64_t> places_;
  std::vector<double> targets_, extra_, step_;
};

}  // namespace proxstep::cpu
