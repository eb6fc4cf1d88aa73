// Group penalties h(x) = w phi(||x||) for any scalar penalty phi; they are not operators of their
// own.
//   one step s for the group:  prox(z) = z phi-prox(||z||) / ||z||
//   a step s_i per element:    x_i = z_i nu / (nu + s_i), where nu = ||x|| / phi'(||x||) is a root
// With f(nu) = sqrt(sum z_i^2 / (nu + s_i)^2) the norm of x is r = nu f, and nu is a minimiser of
// G = (1/2) sum z_i^2 s_i / (nu + s_i)^2 + w phi(r) where w phi'(r) - f crosses zero upwards.
// The caller supplies the sums over a group; nothing here loops over elements.
#pragma once
#include "prox.hpp"

namespace proxstep::op {

template <class T, class P>
PROXSTEP_FN T group_scale(const P& penalty, T norm, T s, T w) {
  if (w == T(0)) return T(1);
  return norm == T(0) ? T(0) : weighted_prox(penalty, norm, s, w) / norm;
}

// The element's share of a group with root nu: infinity leaves z alone.
template <class T>
PROXSTEP_FN T group_keep(T nu, T s) {
  return nu == infinity<T>() ? T(1) : nu / (nu + s);
}

// The same for a small q = s / nu, without a division; the next term is below the rounding.
template <class T>
PROXSTEP_FN T keep_nearly_all(T q) {
  return T(1) - (q - q * q);
}
template <class T>
PROXSTEP_FN constexpr double small_quotient() {
  return sizeof(T) == 4 ? 0x1p-9 : 0x1p-18;
}

// z / (nu + s). In the compute type; the sums over it are in double.
template <class T>
PROXSTEP_FN double group_quotient(T z, T s, T nu) {
  constexpr T tiny = T(sizeof(T) == 4 ? 0x1p-126 : 0x1p-1022);  // 0 / 0 is 0 where a step is 0
  return double(z / (nu + (s + tiny)));
}

// Whether squares computed in T that add up to this in double stayed in range, and what to divide
// by before squaring where the largest is of this size.
template <class T>
PROXSTEP_FN bool squares_in_range(double sum) {
  return sizeof(T) == 4 ? sum > 1e-24 && sum < 1e36 : sum > 1e-200 && sum < 1e200;
}
PROXSTEP_FN double group_unit(double size) {
  return size > 0.0 && size < infinity<double>() ? most(size, 1e-300) : 1.0;
}

// Whether the root of a sum of squares, added up in double, is the norm of elements of type T. That
// of 0 may be one of squares too small for double; NaN stays.
template <class T>
PROXSTEP_FN bool is_norm(double root) {
  return sizeof(T) == 4 || !(root <= 1e-100 || root >= 1e100);
}

// w phi of a norm by value(norm). One that rounding to the storage type S pushed just out of a ball
// still counts as inside.
template <class S, class Value>
PROXSTEP_FN double group_value(const Value& value, double norm) {
  constexpr double slack = sizeof(S) == 8 ? 0x1p-48 : sizeof(S) == 4 ? 0x1p-20 : 0x1p-7;
  const double exact = value(norm);
  return exact == infinity<double>() ? value(norm * (1.0 - slack)) : exact;
}

template <class T>
PROXSTEP_FN constexpr double root_tolerance() {
  return sizeof(T) == 4 ? 0x1p-24 : 0x1p-51;
}

struct GroupSums {
  double norm;  // ||z||
  double shortest_step, most_step;
  double least_step;  // the shortest that is not zero
  double mean_step;   // each weighted by its z^2
  double tolerance;   // relative, of an element of the prox
};

// w phi'(r) / f - 1 at r = nu f, nearly linear in nu; its sign is the sign of dG / dr. At a kink of
// a convex phi, where phi' has no one value, how far r is from its prox. An element with step 0
// stays where it is and makes f infinite at nu = 0.
template <class P>
PROXSTEP_FN double group_balance(const P& penalty, double w, double norm, double nu, double f) {
  if (f == infinity<double>()) return -1.0;
  const double r = nu * f, pull = w * penalty.slope(r);
  if (!P::convex || r == 0.0 || (pull > 0.0 && pull < infinity<double>())) return pull / f - 1.0;
  if (r >= norm) return infinity<double>();
  return (1.0 - penalty.prox(2.0 * r, nu * w) / r) * (norm / (norm - r));
}

// nu with the balance there.
struct Balanced {
  double nu, balance;
};

// What a relative error of nu does to an element, at most.
PROXSTEP_FN double group_effect(double error, double nu, const GroupSums& sums) {
  return error * sums.most_step / (nu + sums.most_step);
}

// A root between low (balance < 0) and high (balance > 0), by the Illinois form of regula falsi
// with bisection wherever a value is not finite or the bracket shrinks slowly.
template <class P, class Norm>
PROXSTEP_FN double group_bracketed_root(const P& penalty, double w, const Norm& f, Balanced low,
                                        Balanced high, const GroupSums& sums) {
  int side = 0;
  for (int k = 0; k < 200; ++k) {
    if (group_effect(high.nu / low.nu - 1.0, low.nu, sums) <= sums.tolerance) break;
    double nu = (low.nu * high.balance - high.nu * low.balance) / (high.balance - low.balance);
    if (!(nu > low.nu && nu < high.nu) || k % 8 == 7) nu = 0.5 * (low.nu + high.nu);
    const double here = group_balance(penalty, w, sums.norm, nu, f(nu));
    if (group_effect(magnitude(here), nu, sums) <= sums.tolerance) return nu;
    if (here < 0) {
      low = {nu, here};
      if (side == -1) high.balance *= 0.5;
      side = -1;
    } else {
      high = {nu, here};
      if (side == 1) low.balance *= 0.5;
      side = 1;
    }
  }
  return 0.5 * (low.nu + high.nu);
}

// The root where all steps are s: the norm shrinks from ||z|| to its prox r, nu = r / (w phi'(r)).
// At a kink of phi, where phi' has no one value, from r = ||z|| nu / (nu + s). Without
// a branch: loops over groups become vectors.
template <class P>
PROXSTEP_FN double group_uniform_root(const P& penalty, double norm, double s, double w) {
  const double r = penalty.prox(norm, s * w), pull = w * penalty.slope(r);
  const bool smooth = pull > 0.0 && pull < infinity<double>();
  const double root = (smooth ? r : r * s) / (smooth ? pull : norm - r);
  return r == 0.0 ? 0.0 : smooth || r < norm ? root : infinity<double>();
}

// The steps act as one, s = norm / f - nu, which grows with nu up to their mean. Where they differ
// little that is it: the rest of the series of f in their spread bounds how far it is off.
struct GroupGuess {
  double nu, spread;
  double error;  // of nu, at most, as much of it as shows in an element
};
template <class P>
PROXSTEP_FN GroupGuess group_guess(const P& penalty, double w, const GroupSums& sums) {
  const double mean = sums.mean_step;
  const double nu = group_uniform_root(penalty, sums.norm, mean, w), inverse = 1.0 / (nu + mean);
  const double above = most(sums.most_step - mean, 0.0) * inverse;
  const double below = most(mean - sums.shortest_step, 0.0), spread = most(above, below * inverse);
  const double off = most(mean - 2.5 * above * below, 0.0);
  const double far = group_uniform_root(penalty, sums.norm, off, w);
  const double error = magnitude(far - nu) * (sums.most_step * inverse);
  return {nu, spread, spread <= 0.25 ? error : infinity<double>()};
}

// The root where the guess is good enough and the longest step leaves something of the group; else
// -1. Most groups are done with this, so it divides little.
template <class P>
PROXSTEP_FN double group_sure_root(const P& penalty, double w, const GroupSums& sums) {
  const GroupGuess guess = group_guess(penalty, w, sums);
  const bool sure = P::convex && w > 0.0 && w * penalty.slope(sums.norm) > 0.0 &&
                    penalty.prox(sums.norm, sums.most_step * w) > 0.0 &&
                    guess.nu < infinity<double>() && guess.error <= sums.tolerance * guess.nu;
  return sure ? guess.nu : -1.0;
}

// From a guess: one sum gives the step at nu, and how far that is from the mean how it will move.
// Infinity where this does not settle.
template <class P, class Norm>
PROXSTEP_FN double group_settled_root(const P& penalty, double w, const Norm& f,
                                      const GroupSums& sums, const GroupGuess& guess) {
  const auto root = [&](double step) {
    return group_uniform_root(penalty, sums.norm, most(step, 0.0), w);
  };
  const auto allowed = [&](double step) {
    return most(least(step, sums.most_step), sums.shortest_step);
  };
  double nu = guess.nu, change = 1.0;
  while (nu > 0.0 && nu < infinity<double>()) {
    const double step = allowed(sums.norm / f(nu) - nu), plain = root(step), before = change;
    const double move = (sums.mean_step - step) * ((plain - nu) / (plain + sums.mean_step));
    const double next = root(allowed(step + move));
    double error = magnitude(next / nu - 1.0);
    change = group_effect(error, nu, sums);
    if (guess.spread <= 0.5) error = least(error, magnitude(root(step + 16.0 * move) / next - 1.0));
    if (group_effect(error, nu, sums) <= sums.tolerance) return next;
    if (!(change < 0.125 * before)) break;
    nu = next;
  }
  return infinity<double>();
}

// Convex phi: one root. Zero when ||z / s|| <= w phi'(0+), untouched when phi is flat at ||z||.
// Unless at a kink of phi, the roots for the longest and the shortest step enclose it.
template <class P, class Norm>
PROXSTEP_FN double group_convex_root(const P& penalty, double w, const Norm& f,
                                     const GroupSums& sums) {
  const double least_root = group_uniform_root(penalty, sums.norm, sums.most_step, w);
  const double most_root = group_uniform_root(penalty, sums.norm, sums.least_step, w);
  if (least_root == infinity<double>() || w * penalty.slope(sums.norm) == 0.0)
    return infinity<double>();
  if (most_root == 0.0 && sums.shortest_step > 0.0) return 0.0;
  const double at_zero =
      least_root == 0.0 ? group_balance(penalty, w, sums.norm, 0.0, f(0.0)) : -1.0;
  if (at_zero >= 0.0) return 0.0;
  const double settled = group_settled_root(penalty, w, f, sums, group_guess(penalty, w, sums));
  if (settled < infinity<double>()) return settled;
  const bool bounded = most_root < infinity<double>() && most_root > 0.0;
  const auto at = [&](double nu) {
    return Balanced{nu, group_balance(penalty, w, sums.norm, nu, f(nu))};
  };
  Balanced low = least_root > 0.0 ? at(least_root * (1.0 - 1e-9)) : Balanced{0.0, at_zero};
  if (!(low.balance < 0.0)) low = {0.0, -1.0};
  Balanced high = at(bounded ? most_root * (1.0 + 1e-9) : most(4.0 * least_root, sums.most_step));
  for (int k = 0; k < 1000 && high.balance < 0.0; ++k) low = high, high = at(4.0 * high.nu);
  return group_bracketed_root(penalty, w, f, low, high, sums);
}

// Other phi: the best of zero, every upward crossing on a grid of quarter octaves in nu (the terms
// of f turn over a factor of four each, so two crossings do not share a cell), and z itself.
template <class P, class Norm, class Distance>
PROXSTEP_FN double group_best_root(const P& penalty, double w, const Norm& f,
                                   const Distance& distance, const GroupSums& sums) {
  double best = 0.0, best_cost = sums.shortest_step > 0.0 ? distance(0.0) : infinity<double>();
  if (w * penalty.slope(sums.norm) == 0.0 && w * penalty.value(sums.norm) < best_cost) {
    best = infinity<double>();
    best_cost = w * penalty.value(sums.norm);
  }
  Balanced low{0.0, group_balance(penalty, w, sums.norm, 0.0, f(0.0))};
  double growth = 1.189207115002721;
  for (double nu = 0.25 * sums.least_step; low.nu < 1e18 * sums.most_step; nu *= growth) {
    if (low.nu > sums.most_step) {  // from here on there is at most one crossing
      if (low.balance > 0.0) break;
      growth = 4.0;
    }
    const Balanced here{nu, group_balance(penalty, w, sums.norm, nu, f(nu))};
    if (low.balance < 0.0 && here.balance > 0.0) {
      const double root = group_bracketed_root(penalty, w, f, low, here, sums);
      const double cost = distance(root) + w * penalty.value(root * f(root));
      if (cost < best_cost) best = root, best_cost = cost;
    }
    low = here;
  }
  return best;
}

// The root nu of one group; NaN in, NaN out.
template <class P, class Norm, class Distance>
PROXSTEP_FN double group_root(const P& penalty, double w, const Norm& f, const Distance& distance,
                              const GroupSums& sums) {
  if (w == 0.0) return infinity<double>();
  if (!(sums.norm < infinity<double>())) return sums.norm - sums.norm;
  if (sums.norm == 0.0 || w == infinity<double>()) return 0.0;
  if (sums.most_step == 0.0) return infinity<double>();
  const double sure = group_sure_root(penalty, w, sums);
  if (sure >= 0.0) return sure;
  if (P::convex) return group_convex_root(penalty, w, f, sums);
  return group_best_root(penalty, w, f, distance, sums);
}

}  // namespace proxstep::op
