// The points of a few elements, by a rule and a penalty that are chosen at run time: uniform
// switches, so that their code is a sum and not a product. A Run tells the array, its settings
// (RuleSettings), the settings of this step and the gradient's factor.
#pragma once
#include "../op/step.hpp"
#include "place.cuh"

namespace proxstep::cuda {

template <class S>
struct Points {
  using C = op::compute_t<S>;
  Pack<S, kRulePack<S>> x, g;
  Pack<C, kRulePack<S>> m[op::kMaxSlots], weights, z, s;
};

template <class C>
__device__ bool is_aligned(const StepArray<C>& a) {
  bool aligned = is_aligned(a.x) && is_aligned(a.g) && is_aligned(a.weights);
  for (int k = 0; k < op::kMaxSlots; ++k) aligned = aligned && is_aligned(a.m[k]);
  return aligned;
}

template <class C, class Run, class Body>
__device__ __forceinline__ void with_rule(const Run& run, const Body& body) {
  op::with_member(Rules{}, run.settings.rule, [&](auto member) {
    body(*reinterpret_cast<const typename decltype(member)::template of<C>*>(run.step.rule.held));
  });
}

// The rule, then the penalty of the elements.
template <class S, class Run>
__device__ __forceinline__ void points(const Run& run, const Place& at, Points<S>& p) {
  using C = op::compute_t<S>;
  constexpr int n = kRulePack<S>;
  const StepArray<C>& a = run.array;
  p.x = {};
  if (run.settings.reads_x) gather(p.x, static_cast<const S*>(a.x), at);
  gather(p.g, static_cast<const S*>(a.g), at);
#pragma unroll
  for (int k = 0; k < op::kMaxSlots; ++k) {
    p.m[k] = {};
    if (a.m[k]) gather(p.m[k], a.m[k], at);
  }
  gather_weights(p.weights, a.weights, at);
  const op::StepArrays<S> own{p.x.at, p.g.at, {p.m[0].at, p.m[1].at}};
  with_rule<C>(run, [&](const auto& rule) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      const op::Point<C> point = op::step_point(own, j, run.grad_scale, rule);
      p.z.at[j] = point.z;
      p.s.at[j] = run.step.own_step ? point.s : run.step.step;
    }
  });
  with_penalty(run.step.penalty, [&](const auto& penalty) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      p.z.at[j] = op::weighted_prox(penalty, p.z.at[j], p.s.at[j], p.weights.at[j]);
    }
  });
}

// Stores x and the moments that change; prox(j): what element j becomes.
template <class S, class Run, class Prox>
__device__ __forceinline__ void store_points(const Run& run, const Place& at, Points<S>& p,
                                             const Prox& prox) {
  using C = op::compute_t<S>;
  const op::StepArrays<S> own{p.x.at, p.g.at, {p.m[0].at, p.m[1].at}};
  with_rule<C>(run, [&](const auto& rule) {
#pragma unroll
    for (int j = 0; j < kRulePack<S>; ++j) op::step_store(own, j, prox(j), rule);
  });
  scatter(p.x, static_cast<S*>(run.array.x), at);
#pragma unroll
  for (int k = 0; k < op::kMaxSlots; ++k) {
    if (k < run.settings.writes) scatter(p.m[k], run.array.m[k], at);
  }
}

}  // namespace proxstep::cuda
