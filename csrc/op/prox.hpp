// One struct per penalty h, the whole definition: name, settings, prox, value, slope.
// z: point, s: step (weights are already in it), x: parameter, r: norm of a group.
//   prox(z, s)  the global minimiser of (x - z)^2 / (2 s) + h(x); the smaller one at a tie
//   value(x)    h(x), infinite outside the domain
//   slope(r)    h'(r) for r > 0, and slope(0) its limit, for groups in a diagonal metric
// To add a penalty: write the struct, append it to Penalties.
#pragma once
#include "scalar.hpp"

namespace proxstep::op {

constexpr int kMaxSettings = 2;  // of a penalty

template <class T>
struct None {
  static constexpr const char* name = "none";
  static constexpr int settings = 0;
  static constexpr bool convex = true;
  PROXSTEP_FN explicit None(const double*) {}
  PROXSTEP_FN T prox(T z, T) const { return z; }
  PROXSTEP_FN T value(T) const { return T(0); }
  PROXSTEP_FN T slope(T) const { return T(0); }
};

template <class T>
struct L1 {
  static constexpr const char* name = "l1";
  static constexpr int settings = 1;
  static constexpr bool convex = true;
  T lam;
  PROXSTEP_FN explicit L1(const double* c) : lam(T(c[0])) {}
  PROXSTEP_FN T prox(T z, T s) const { return soft(z, s * lam); }
  PROXSTEP_FN T value(T x) const { return lam * magnitude(x); }
  PROXSTEP_FN T slope(T) const { return lam; }
};

template <class T>
struct SquaredL2 {
  static constexpr const char* name = "squared_l2";
  static constexpr int settings = 1;
  static constexpr bool convex = true;
  T lam;
  PROXSTEP_FN explicit SquaredL2(const double* c) : lam(T(c[0])) {}
  PROXSTEP_FN T prox(T z, T s) const { return z / (T(1) + s * lam); }
  PROXSTEP_FN T value(T x) const { return T(0.5) * lam * x * x; }
  PROXSTEP_FN T slope(T r) const { return lam * r; }
};

template <class T>
struct ElasticNet {
  static constexpr const char* name = "elastic_net";
  static constexpr int settings = 2;
  static constexpr bool convex = true;
  T l1, l2;
  PROXSTEP_FN explicit ElasticNet(const double* c) : l1(T(c[0])), l2(T(c[1])) {}
  PROXSTEP_FN T prox(T z, T s) const { return soft(z, s * l1) / (T(1) + s * l2); }
  PROXSTEP_FN T value(T x) const { return l1 * magnitude(x) + T(0.5) * l2 * x * x; }
  PROXSTEP_FN T slope(T r) const { return l1 + l2 * r; }
};

// lam x on x >= 0.
template <class T>
struct NonNegativeL1 {
  static constexpr const char* name = "non_negative_l1";
  static constexpr int settings = 1;
  static constexpr bool convex = true;
  T lam;
  PROXSTEP_FN explicit NonNegativeL1(const double* c) : lam(T(c[0])) {}
  PROXSTEP_FN T prox(T z, T s) const { return most(T(0), z - s * lam); }  // NaN stays
  PROXSTEP_FN T value(T x) const { return x < T(0) ? infinity<T>() : lam * x; }
  PROXSTEP_FN T slope(T) const { return lam; }
};

// The indicator of lower <= x <= upper. Of a norm it is the ball of radius upper.
template <class T>
struct Box {
  static constexpr const char* name = "box";
  static constexpr int settings = 2;
  static constexpr bool convex = true;
  T lower, upper;
  PROXSTEP_FN explicit Box(const double* c) : lower(T(c[0])), upper(T(c[1])) {}
  PROXSTEP_FN T prox(T z, T) const { return z < lower ? lower : (z > upper ? upper : z); }
  PROXSTEP_FN T value(T x) const { return x < lower || x > upper ? infinity<T>() : zero_or_nan(x); }
  PROXSTEP_FN T slope(T r) const { return r > upper || upper == T(0) ? infinity<T>() : T(0); }
};

// lam for x != 0: the hard threshold.
template <class T>
struct L0 {
  static constexpr const char* name = "l0";
  static constexpr int settings = 1;
  static constexpr bool convex = false;
  T lam;
  PROXSTEP_FN explicit L0(const double* c) : lam(T(c[0])) {}
  PROXSTEP_FN T prox(T z, T s) const {
    return magnitude(z) <= square_root(T(2) * s * lam) ? T(0) : z;
  }
  PROXSTEP_FN T value(T x) const { return x == T(0) ? T(0) : lam + zero_or_nan(x); }
  PROXSTEP_FN T slope(T r) const { return r > T(0) ? T(0) : infinity<T>(); }
};

// Zhang, Nearly unbiased variable selection under minimax concave penalty, Ann. Stat. 38 (2010).
// From s = gamma on the problem is concave between 0 and gamma lam: a hard threshold remains.
template <class T>
struct MCP {
  static constexpr const char* name = "mcp";
  static constexpr int settings = 2;
  static constexpr bool convex = false;
  T lam, gamma;
  PROXSTEP_FN explicit MCP(const double* c) : lam(T(c[0])), gamma(T(c[1])) {}
  PROXSTEP_FN T prox(T z, T s) const {
    const T a = magnitude(z);
    const T firm = a > gamma * lam ? z : soft(z, s * lam) / (T(1) - s / gamma);
    const T hard = a <= lam * square_root(gamma * s) ? T(0) : z;
    return s < gamma ? firm : hard;
  }
  PROXSTEP_FN T value(T x) const {
    const T a = magnitude(x);
    const T flat = T(0.5) * gamma * lam * lam;
    return a > gamma * lam ? flat : lam * a - a * a / (T(2) * gamma);
  }
  PROXSTEP_FN T slope(T r) const { return r < gamma * lam ? lam - r / gamma : T(0); }
};

// Fan and Li, Variable selection via nonconcave penalized likelihood, JASA 96 (2001).
// From s = a - 1 on the middle piece is concave: the best of the soft threshold, held at lam,
// and z itself is the minimiser.
template <class T>
struct SCAD {
  static constexpr const char* name = "scad";
  static constexpr int settings = 2;
  static constexpr bool convex = false;
  T lam, a;
  PROXSTEP_FN explicit SCAD(const double* c) : lam(T(c[0])), a(T(c[1])) {}
  PROXSTEP_FN T prox(T z, T s) const {
    const T size = magnitude(z);
    const T near_zero = soft(z, s * lam);
    const T bend = z - sign(z) * (s * (a * lam - size) / (a - T(1) - s));
    const T middle = size <= lam * (T(1) + s) ? near_zero : bend;
    const T short_step = size > a * lam ? z : middle;
    return s < a - T(1) ? short_step : long_step(z, size, s);
  }
  PROXSTEP_FN T value(T x) const {
    const T size = magnitude(x);
    const T middle = (T(2) * a * lam * size - size * size - lam * lam) / (T(2) * (a - T(1)));
    const T flat = T(0.5) * (a + T(1)) * lam * lam;
    return size <= lam ? lam * size : (size > a * lam ? flat : middle);
  }
  PROXSTEP_FN T slope(T r) const {
    return r <= lam ? lam : (r < a * lam ? (a * lam - r) / (a - T(1)) : T(0));
  }

 private:
  static PROXSTEP_FN T sign(T z) { return z < T(0) ? T(-1) : T(1); }
  PROXSTEP_FN T long_step(T z, T size, T s) const {
    const T low = least(soft(size, s * lam), lam);
    // Both costs by lam / 2: their squares may leave the range.
    const T cost_low = (size - low) * ((size - low) / (s * lam)) + T(2) * low;
    const T cost_flat = (a + T(1)) * lam;
    const bool keep = (size > a * lam && cost_flat < cost_low) || !(size == size);
    return keep ? z : low * sign(z);
  }
};

// lam |x|^(1/2). With x = |z| v^2 and k = s lam / (2 |z|^(3/2)), v is the largest root of
// v^3 - v + k, and it beats zero just when v^2 > 2/3 (Xu et al., L1/2 regularization, IEEE TNNLS 23
// (2012)). Newton from 1 comes down to it and doubles the digits.
template <class T>
struct L1_2 {
  static constexpr const char* name = "l1_2";
  static constexpr int settings = 1;
  static constexpr bool convex = false;
  T lam;
  PROXSTEP_FN explicit L1_2(const double* c) : lam(T(c[0])) {}
  PROXSTEP_FN T prox(T z, T s) const {
    const T size = magnitude(z);
    const T k = T(0.5) * s * lam / (size * square_root(size));
    T v = T(1);
    for (int n = 0; n < (sizeof(T) == 4 ? 5 : 6); ++n) {
      v = most((v * v * (v + v) - k) / (T(3) * v * v - T(1)), T(0.8));
    }
    const T shrunk = T(3) * v * v > T(2) ? z * (v * v) : z - z;  // selects of values vectorise
    return s * lam == T(0) ? z : shrunk;
  }
  PROXSTEP_FN T value(T x) const { return lam * square_root(magnitude(x)); }
  PROXSTEP_FN T slope(T r) const { return T(0.5) * lam / square_root(r); }
};

// lam |x|^(2/3). With x = |z| v^3 and k = 2 s lam / (3 |z|^(4/3)), v is the largest root of
// v^4 - v + k, and it beats zero just when v^3 > 1/2 (Cao, Sun, Xu, J. Vis. Commun. 24 (2013)).
template <class T>
struct L2_3 {
  static constexpr const char* name = "l2_3";
  static constexpr int settings = 1;
  static constexpr bool convex = false;
  T lam;
  PROXSTEP_FN explicit L2_3(const double* c) : lam(T(c[0])) {}
  PROXSTEP_FN T prox(T z, T s) const {
    const T size = magnitude(z);
    const T k = s * lam / T(1.5) / (size * cube_root(size));
    T v = T(1);
    for (int n = 0; n < (sizeof(T) == 4 ? 5 : 6); ++n) {
      const T cube = v * v * v;
      v = most((T(3) * v * cube - k) / (T(4) * cube - T(1)), T(0.78));
    }
    const T shrunk = v * v * v > T(0.5) ? z * (v * v * v) : z - z;
    return s * lam == T(0) ? z : shrunk;
  }
  PROXSTEP_FN T value(T x) const {
    const T u = cube_root(magnitude(x));
    return lam * u * u;
  }
  PROXSTEP_FN T slope(T r) const { return lam / (T(1.5) * cube_root(r)); }
};

using Penalties =
    List<None, L1, SquaredL2, ElasticNet, NonNegativeL1, Box, L0, MCP, SCAD, L1_2, L2_3>;

// A weight w makes w h of h: 0 leaves z alone, infinity pins it to exact zero (z - z keeps NaN).
template <class T, class P>
PROXSTEP_FN T weighted_prox(const P& penalty, T z, T s, T w) {
  const T inside = penalty.prox(z, s * w);
  return w == T(0) ? z : (w == infinity<T>() ? z - z : inside);
}
template <class T, class P>
PROXSTEP_FN T weighted_value(const P& penalty, T x, T w) {
  const T pinned = x == T(0) ? T(0) : infinity<T>() + zero_or_nan(x);
  return w == T(0) ? T(0) : (w == infinity<T>() ? pinned : w * penalty.value(x));
}

}  // namespace proxstep::op
