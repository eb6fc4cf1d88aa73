// Quantising: the elements of a group are drawn to its scale a times the levels r_1 < ... < r_m.
// With u = z / a between the neighbours l <= u <= r, c midway between them and rho the inverse
// slope, 0 <= rho <= 1,
//   x = a min(max(c + (u - c) / rho, l), r),  beyond the outermost levels these:
// flat at the levels, steep between them. It is the prox, for every step s, of
//   h(x) = (1 - rho) / (2 s) sum (x_i - a l) (a r - x_i),  infinite beyond the outermost levels.
// rho = 0 rounds to the nearest level, at a tie to the smaller one, of +-r to +r; rho = 1 leaves z
// alone, wherever it is. (Jin, Ma, Liu, Gromov, Defazio, Xiao, PARQ, ICML 2025.)
#pragma once
#include "math.hpp"

namespace proxstep::op {

// What the levels of a group are multiples of; NaN is the largest size. The mean counts multiple
// times, and at most as much as the largest.
template <class T>
PROXSTEP_FN T mean_scale(double sum, double n, double multiple, T largest) {
  return least(T(multiple * (sum / n)), largest);
}

// A point in units of the scale, not beyond the outermost levels, and the levels it lies between.
template <class T>
struct Between {
  T u, lower, upper;
};

template <class T>
PROXSTEP_FN T clamped(T u, T lower, T upper) {
  return u < lower ? lower : (u > upper ? upper : u);  // NaN stays
}

// The levels are one apart, integers plus shift; u, of at most 2^20, is its own lower level where
// it is one.
template <class T>
PROXSTEP_FN Between<T> between_integers(T u, T shift) {
  const T moved = u - shift;
  const T nearest = (moved + Format<T>::integer_grid) - Format<T>::integer_grid;
  const T lower = (nearest > moved ? nearest - T(1) : nearest) + shift;
  return {u, lower, lower + T(1)};
}

// Levels -most, -most + 1, ..., most, of which per_scale make up the scale.
template <class T>
struct IntegerLevels {
  T scale;  // of the group at hand
  T most, shift, per_scale;
  static PROXSTEP_FN IntegerLevels of(double most, double per_scale) {
    return {T(1), T(most), T(most - double(int(most))), T(per_scale)};
  }
  PROXSTEP_FN T units(T z) const { return z / scale * per_scale; }
  PROXSTEP_FN T stored(T level) const { return scale * (level / per_scale); }
  PROXSTEP_FN Between<T> between(T z) const {
    return between_integers(clamped(units(z), -most, most), shift);
  }
};

// Levels of a table, multiples of the scale.
template <class T>
struct ScaledLevels {
  T scale;
  PROXSTEP_FN T units(T z) const { return z / scale; }
  PROXSTEP_FN T stored(T level) const { return scale * level; }
};

// Others have no levels but 0, where the scale is 0, or none at all, where it is not finite.
template <class T>
PROXSTEP_FN bool has_levels(T scale) {
  return scale > T(0) && scale < infinity<T>();
}
template <class T>
PROXSTEP_FN T without_levels(T z, T scale) {
  return (scale - scale) + zero_or_nan(z);
}

template <class T>
PROXSTEP_FN T centre_of(const Between<T>& at) {
  return T(0.5) * at.lower + T(0.5) * at.upper;
}

template <class T>
PROXSTEP_FN T nearest_level(const Between<T>& at) {
  const T centre = centre_of(at);
  const bool smaller = magnitude(at.upper) <= magnitude(at.lower);
  const T level = at.u > centre || (at.u == centre && smaller) ? at.upper : at.lower;
  return at.u == at.u ? level : at.u;
}

template <class T>
PROXSTEP_FN T drawn_to_level(const Between<T>& at, T rho) {
  const T centre = centre_of(at);
  return clamped(centre + (at.u - centre) / rho, at.lower, at.upper);
}

// The element's share of h with a step of 1 for 0 < rho < 1, of the indicator of the levels for
// rho = 0. nearest: the level it is stored as, times the scale; u: before it was clamped.
template <class T>
PROXSTEP_FN double level_value(T x, T nearest, T u, const Between<T>& at, double scale,
                               double rho) {
  const double off =
      scale * scale * (double(at.u) - double(at.lower)) * (double(at.upper) - double(at.u));
  const bool outside = rho == 0.0 || u != at.u;
  const double between = outside ? infinity<double>() : 0.5 * (1.0 - rho) * off;
  return (x == nearest || rho == 1.0 ? 0.0 : between) + double(zero_or_nan(x));
}

}  // namespace proxstep::op
