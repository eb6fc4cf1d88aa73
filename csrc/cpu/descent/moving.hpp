// Which elements the prox lets move at a point, and what each brings to the system of support.hpp,
// with D the prox's derivative at z = x - s g(x).
// Of an element D is a slope. The prox of a group scales z by c = r / |z|, r the prox of |z| and
// of slope r'; with u = z / |z| it has D = c (1 - u u') + r' u u' (Zhang, Zhang, Sun and Toh, An
// efficient Hessian based algorithm for solving large-scale sparse group Lasso problems, 2020).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "blocks.hpp"

namespace proxstep::cpu {

// One element: its row of the system has `extra` on the diagonal and, beside the elements of its
// group, extra_along u u'.
struct Moving {
  std::int64_t place, group;
  double target, pull, extra, extra_along, u;
};

template <class Model>
class MovingElements {
 public:
  MovingElements(const Model& model, const Blocks& blocks, const std::vector<double>& x)
      : model_(model), blocks_(blocks), x_(x) {}

  std::vector<Moving> all() {
    for (std::int64_t b = 0; b < blocks_.count(); ++b) {
      blocks_.single() ? note(b) : note_group(b);
    }
    return std::move(moving_);
  }

 private:
  static constexpr double kExactSlope = 1e-10;  // closer to 1 it is rounding
  static constexpr double kSameSlope = 1e-6;    // likewise, of chords to both sides of a point
  static constexpr int kProbes = 6;             // after which the point is a kink

  static bool usable(double s) { return s > 0.0 && std::isfinite(s); }

  void note(std::int64_t k) {
    const double curvature = model_.curvature(k), s = 1.0 / curvature;
    if (!usable(s)) return;
    const auto prox = [&](double z) { return blocks_.prox(k, z, s); };
    const double z = x_[k] - s * model_.gradient(k), target = prox(z);
    const double slope = slope_at(prox, z, target);
    if (!(slope > kExactSlope)) return;
    const double pull = (target - x_[k]) * curvature / slope;
    moving_.push_back({k, k, target, pull, (1.0 / slope - 1.0) * curvature, 0.0, 0.0});
  }

  // With the trace of its Hessian for a curvature, which bounds that.
  void note_group(std::int64_t b) {
    const std::int64_t n = blocks_.size(b), first = blocks_.begin(b);
    double curvature = 0.0, square = 0.0;
    for (std::int64_t k = first; k < first + n; ++k) curvature += model_.curvature(k);
    const double s = 1.0 / curvature;
    if (!usable(s)) return;
    std::vector<double> z(n);
    model_.gradients(first, n, z.data());
    for (std::int64_t i = 0; i < n; ++i) {
      z[i] = blocks_.prox(first + i, x_[first + i] - s * z[i], s);
      square += z[i] * z[i];
    }
    if (square > 0.0) note_elements(b, curvature, std::sqrt(square), z);
  }

  // Of elements that their own prox leaves at 0 none moves; of the others it has slope 1.
  void note_elements(std::int64_t b, double curvature, double norm, const std::vector<double>& z) {
    const auto prox = [&](double v) { return blocks_.prox_norm(b, v, 1.0 / curvature); };
    const double c = prox(norm) / norm, slope = slope_at(prox, norm, c * norm);
    if (!(c > 0.0) || !(slope > kExactSlope)) return;
    const double extra_along = (1.0 / slope - 1.0 / c) * curvature;
    const double* x = x_.data() + blocks_.begin(b);
    double along = 0.0;
    for (std::size_t i = 0; i < z.size(); ++i) along += z[i] / norm * (c * z[i] - x[i]);
    for (std::size_t i = 0; i < z.size(); ++i) {
      if (z[i] == 0.0) continue;
      const double target = c * z[i], u = z[i] / norm;
      const double pull = (target - x[i]) * curvature / c + extra_along * along * u;
      moving_.push_back({blocks_.begin(b) + std::int64_t(i), b, target, pull,
                         (1.0 / c - 1.0) * curvature, extra_along, u});
    }
  }

  // Of the piece of the prox that z lies on: chords to both sides, short enough to be the same.
  template <class Prox>
  double slope_at(const Prox& prox, double z, double target) const {
    if (target == 0.0) return 0.0;
    double h = 0.5 * target, inner = 0.0;  // inwards 0 is as far from z - h as z
    for (int probe = 0; probe < kProbes; ++probe, h *= 0.125) {
      inner = (target - prox(z - h)) / h;
      const double outer = (prox(z + h) - target) / h;
      if (std::abs(inner - outer) <= kSameSlope * std::max(inner, outer)) break;
    }
    return std::abs(inner - 1.0) <= kExactSlope ? 1.0 : inner;
  }

  const Model& model_;
  const Blocks& blocks_;
  const std::vector<double>& x_;
  std::vector<Moving> moving_;
};

}  // namespace proxstep::cpu
