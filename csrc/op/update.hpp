// One struct per update rule: (x, g, moments m) -> z, the point the prox is taken at, and s, its
// step.
//   constants()  turns the user's settings h and the step count t into per-step constants c, once a
//                step, on the host, in double; kernels only read them
//   slots        arrays of moments; stored: how many of them the point changes
//   scalar_step  s is the same for all elements; where it is not, step() makes it of the last of m
//   extrapolates after the prox, m[0] = x_new + beta (x_new - x_old)
// To add a rule: write the struct, append it to Rules.
#pragma once
#include "scalar.hpp"

namespace proxstep::op {

constexpr int kMaxSlots = 2;
constexpr int kMaxConstants = 10;

template <class T>
struct Point {
  T z, s;
};

// h: the learning rate and the coupled weight decay, a part of the gradient. An infinite x stays.
template <class T>
struct SGD {
  static constexpr const char* name = "sgd";
  static constexpr int settings = 2, slots = 0, stored = 0;
  static constexpr bool scalar_step = true, extrapolates = false;
  T lr, keep;
  static PROXSTEP_FN void constants(const double* h, double, double* c) {
    c[0] = h[0], c[1] = 1 - h[0] * h[1];
  }
  PROXSTEP_FN explicit SGD(const double* c) : lr(T(c[0])), keep(T(c[1])) {}
  PROXSTEP_FN Point<T> operator()(T x, T g, T*) const { return {keep * x - lr * g, lr}; }
};

// Polyak's heavy ball with the velocity in units of the gradient. The first gradient is not damped.
template <class T>
struct Momentum {
  static constexpr const char* name = "momentum";
  static constexpr int settings = 4, slots = 1, stored = 1;
  static constexpr bool scalar_step = true, extrapolates = false;
  T lr, mu, decay, share;
  static PROXSTEP_FN void constants(const double* h, double t, double* c) {
    c[0] = h[0], c[1] = h[1], c[2] = h[2], c[3] = t > 1 ? 1 - h[3] : 1;
  }
  PROXSTEP_FN explicit Momentum(const double* c)
      : lr(T(c[0])), mu(T(c[1])), decay(T(c[2])), share(T(c[3])) {}
  PROXSTEP_FN Point<T> operator()(T x, T g, T* m) const {
    m[0] = mu * m[0] + share * (g + decay * x);
    return {x - lr * m[0], lr};
  }
};

// Nesterov's momentum with the look-ahead folded into the step (Sutskever et al., ICML 2013).
template <class T>
struct Nesterov {
  static constexpr const char* name = "nesterov";
  static constexpr int settings = 3, slots = 1, stored = 1;
  static constexpr bool scalar_step = true, extrapolates = false;
  T lr, mu, decay;
  static PROXSTEP_FN void constants(const double* h, double, double* c) {
    c[0] = h[0], c[1] = h[1], c[2] = h[2];
  }
  PROXSTEP_FN explicit Nesterov(const double* c) : lr(T(c[0])), mu(T(c[1])), decay(T(c[2])) {}
  PROXSTEP_FN Point<T> operator()(T x, T g, T* m) const {
    const T whole = g + decay * x;
    m[0] = mu * m[0] + whole;
    return {x - lr * (whole + mu * m[0]), lr};
  }
};

// Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009). m[0] = y, where the gradient was taken.
// h[1] < 0 asks for beta = (t - 1) / (t + 2).
template <class T>
struct FISTA {
  static constexpr const char* name = "fista";
  static constexpr int settings = 2, slots = 1, stored = 0;
  static constexpr bool scalar_step = true, extrapolates = true;
  T lr, beta;
  static PROXSTEP_FN void constants(const double* h, double t, double* c) {
    c[0] = h[0], c[1] = h[1] < 0 ? (t - 1) / (t + 2) : h[1];
  }
  PROXSTEP_FN explicit FISTA(const double* c) : lr(T(c[0])), beta(T(c[1])) {}
  PROXSTEP_FN Point<T> operator()(T, T g, T* m) const { return {m[0] - lr * g, lr}; }
  PROXSTEP_FN T extrapolate(T x_old, T x_new) const { return x_new + beta * (x_new - x_old); }
};

// Duchi, Hazan, Singer, JMLR 12 (2011).
template <class T>
struct Adagrad {
  static constexpr const char* name = "adagrad";
  static constexpr int settings = 4, slots = 1, stored = 1;
  static constexpr bool scalar_step = false, extrapolates = false;
  T lr, eps, decay;
  static PROXSTEP_FN void constants(const double* h, double t, double* c) {
    const double lr = h[0], lr_decay = h[3];
    c[0] = lr / (1 + (t - 1) * lr_decay), c[1] = h[1], c[2] = h[2];
  }
  PROXSTEP_FN explicit Adagrad(const double* c) : lr(T(c[0])), eps(T(c[1])), decay(T(c[2])) {}
  PROXSTEP_FN Point<T> operator()(T x, T g, T* m) const {
    const T whole = g + decay * x;
    m[0] = m[0] + whole * whole;
    const T s = step(m[0]);
    return {x - s * whole, s};
  }
  PROXSTEP_FN T step(T sum) const { return lr / (square_root(sum) + eps); }
};

// Kingma and Ba, ICLR 2015, with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).
template <class T>
struct Adam {
  static constexpr const char* name = "adam";
  static constexpr int settings = 5, slots = 2, stored = 2;
  static constexpr bool scalar_step = false, extrapolates = false;
  T lr, beta1, rest1, beta2, rest2, eps, keep, unbias1, unbias2;
  static PROXSTEP_FN void constants(const double* h, double t, double* c) {
    const double lr = h[0], beta1 = h[1], beta2 = h[2], eps = h[3], weight_decay = h[4];
    c[0] = lr, c[1] = beta1, c[2] = 1 - beta1, c[3] = beta2, c[4] = 1 - beta2, c[5] = eps;
    c[6] = 1 - lr * weight_decay;
    c[7] = 1 / (1 - pow(beta1, t)), c[8] = 1 / (1 - pow(beta2, t));
  }
  PROXSTEP_FN explicit Adam(const double* c)
      : lr(T(c[0])),
        beta1(T(c[1])),
        rest1(T(c[2])),
        beta2(T(c[3])),
        rest2(T(c[4])),
        eps(T(c[5])),
        keep(T(c[6])),
        unbias1(T(c[7])),
        unbias2(T(c[8])) {}
  PROXSTEP_FN Point<T> operator()(T x, T g, T* m) const {
    m[0] = beta1 * m[0] + rest1 * g;
    m[1] = beta2 * m[1] + rest2 * (g * g);
    const T s = step(m[1]);
    return {keep * x - s * (unbias1 * m[0]), s};
  }
  PROXSTEP_FN T step(T average) const { return lr / (square_root(average * unbias2) + eps); }
};

// Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023, with decoupled weight
// decay. m[0] = average of gradients.
template <class T>
struct Lion {
  static constexpr const char* name = "lion";
  static constexpr int settings = 4, slots = 1, stored = 1;
  static constexpr bool scalar_step = true, extrapolates = false;
  T lr, beta1, rest1, beta2, rest2, keep;
  static PROXSTEP_FN void constants(const double* h, double, double* c) {
    const double lr = h[0], beta1 = h[1], beta2 = h[2], weight_decay = h[3];
    c[0] = lr, c[1] = beta1, c[2] = 1 - beta1, c[3] = beta2, c[4] = 1 - beta2;
    c[5] = 1 - lr * weight_decay;
  }
  PROXSTEP_FN explicit Lion(const double* c)
      : lr(T(c[0])),
        beta1(T(c[1])),
        rest1(T(c[2])),
        beta2(T(c[3])),
        rest2(T(c[4])),
        keep(T(c[5])) {}
  PROXSTEP_FN Point<T> operator()(T x, T g, T* m) const {
    const T mixed = beta1 * m[0] + rest1 * g;
    m[0] = beta2 * m[0] + rest2 * g;
    return {keep * x - lr * sign(mixed), lr};
  }
  static PROXSTEP_FN T sign(T v) { return v > 0 ? T(1) : v < 0 ? T(-1) : v; }  // NaN stays
};

// Xiao, Dual averaging methods for regularized stochastic learning, JMLR 11 (2010), around the
// starting point: m[0] = sum of gradients, m[1] = x at the start.
template <class T>
struct RDA {
  static constexpr const char* name = "rda";
  static constexpr int settings = 1, slots = 2, stored = 1;
  static constexpr bool scalar_step = true, extrapolates = false;
  T lr, pull;
  static PROXSTEP_FN void constants(const double* h, double t, double* c) {
    c[0] = h[0] * sqrt(t), c[1] = h[0] / sqrt(t);
  }
  PROXSTEP_FN explicit RDA(const double* c) : lr(T(c[0])), pull(T(c[1])) {}
  PROXSTEP_FN Point<T> operator()(T, T g, T* m) const {
    m[0] = m[0] + g;
    return {m[1] - pull * m[0], lr};
  }
};

// McMahan et al., Ad click prediction, KDD 2013. m[0] = linear term, m[1] = sum of squares.
template <class T>
struct FTRL {
  static constexpr const char* name = "ftrl";
  static constexpr int settings = 2, slots = 2, stored = 2;
  static constexpr bool scalar_step = false, extrapolates = false;
  T lr, beta, inverse_lr;
  static PROXSTEP_FN void constants(const double* h, double, double* c) {
    c[0] = h[0], c[1] = h[1], c[2] = 1 / h[0];
  }
  PROXSTEP_FN explicit FTRL(const double* c) : lr(T(c[0])), beta(T(c[1])), inverse_lr(T(c[2])) {}
  PROXSTEP_FN Point<T> operator()(T x, T g, T* m) const {
    const T before = square_root(m[1]);
    m[1] = m[1] + g * g;
    const T after = square_root(m[1]);
    m[0] = m[0] + (g - (after - before) * inverse_lr * x);
    const T s = step(m[1]);
    return {-s * m[0], s};
  }
  PROXSTEP_FN T step(T sum) const { return lr / (beta + square_root(sum)); }
};

using Rules = List<SGD, Momentum, Nesterov, FISTA, Adagrad, Adam, RDA, FTRL, Lion>;

}  // namespace proxstep::op
