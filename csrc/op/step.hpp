// The one place where an update rule meets a penalty. Both backends loop over these.
#pragma once
#include "prox.hpp"
#include "rounding.hpp"
#include "update.hpp"

namespace proxstep::op {

// x, g: storage type S. Moments: compute type. The arrays never overlap.
template <class S>
struct StepArrays {
  S* x;
  const S* g;
  compute_t<S>* m[kMaxSlots];
};

// The rule at element i: stores the moments and returns the point and the step of the prox.
template <class S, class Rule>
PROXSTEP_FN Point<compute_t<S>> step_point(const StepArrays<S>& a, long long i,
                                           compute_t<S> grad_scale, const Rule& rule) {
  using C = compute_t<S>;
  C m[kMaxSlots] = {};
  for (int k = 0; k < Rule::slots; ++k) m[k] = a.m[k][i];
  const C g = Storage<S>::load(a.g[i]) * grad_scale;
  const Point<C> at = rule(Storage<S>::load(a.x[i]), g, m);
  for (int k = 0; k < Rule::stored; ++k) a.m[k][i] = m[k];
  return at;
}

// Stores the prox.
template <class S, class Rule>
PROXSTEP_FN void step_store(const StepArrays<S>& a, long long i, compute_t<S> x_new,
                            const Rule& rule) {
  if constexpr (Rule::extrapolates) {
    a.m[0][i] = rule.extrapolate(Storage<S>::load(a.x[i]), x_new);
  }
  a.x[i] = Storage<S>::pack(x_new);
}

template <class S, class Rule, class Penalty>
PROXSTEP_FN void step_one(const StepArrays<S>& a, long long i, compute_t<S> grad_scale,
                          const Rule& rule, const Penalty& penalty) {
  const Point<compute_t<S>> at = step_point(a, i, grad_scale, rule);
  step_store(a, i, penalty.prox(at.z, at.s), rule);
}

// Moments in 16 bits, rounded stochastically. All of them change at every point.
struct NarrowArrays {
  float* x;
  const float* g;
  bfloat16* m[kMaxSlots];
};

template <class Rule, class Penalty>
PROXSTEP_FN void step_narrow(const NarrowArrays& a, long long i, float grad_scale,
                             unsigned int bits, const Rule& rule, const Penalty& penalty) {
  static_assert(Rule::stored == Rule::slots && !Rule::extrapolates, "all moments are rounded");
  float m[kMaxSlots] = {};
  for (int k = 0; k < Rule::slots; ++k) m[k] = to_float(a.m[k][i]);
  const Point<float> at = rule(a.x[i], a.g[i] * grad_scale, m);
  for (int k = 0; k < Rule::slots; ++k) store_moment(&a.m[k][i], m[k], bits, k);
  a.x[i] = penalty.prox(at.z, at.s);
}

}  // namespace proxstep::op
