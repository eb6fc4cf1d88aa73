// The one place where an update rule meets a penalty. Both backends loop over step_one.
#pragma once
#include "prox.hpp"
#include "update.hpp"

namespace proxstep::op {

// x, g: storage type S. Moments: compute type. The arrays never overlap.
template <class S>
struct StepArrays {
  S* x;
  const S* g;
  compute_t<S>* m[kMaxSlots];
};

template <class S, class Rule, class Penalty>
PROXSTEP_FN void step_one(const StepArrays<S>& a, long long i, compute_t<S> grad_scale,
                          const Rule& rule, const Penalty& penalty) {
  using C = compute_t<S>;
  C m[kMaxSlots] = {};
  for (int k = 0; k < Rule::slots; ++k) m[k] = a.m[k][i];
  const C x_old = Storage<S>::load(a.x[i]);
  const Point<C> at = rule(x_old, Storage<S>::load(a.g[i]) * grad_scale, m);
  const C x_new = penalty.prox(at.z, at.s);
  if constexpr (Rule::extrapolates) a.m[0][i] = rule.extrapolate(x_old, x_new);
  for (int k = 0; k < Rule::stored; ++k) a.m[k][i] = m[k];
  a.x[i] = Storage<S>::pack(x_new);
}

}  // namespace proxstep::op
