// The points of a few elements, by a rule and a penalty that are chosen at run time: uniform
// switches, so that their code is a sum and not a product. A Run tells the array, its settings
// (RuleSettings), the settings of this step and the gradient's factor.
#pragma once
#include "../op/step.hpp"
#include "place.cuh"

namespace proxstep::cuda {

template <class S>
struct Points {
  static constexpr int n = kRulePack<S>;
  using C = op::compute_t<S>;
  Pack<x_t<S>, n> x;
  Pack<g_t<S>, n> g, copy;  // copy: of a master
  Pack<C, n> m[op::kMaxSlots], weights, z, s;
};

template <class C>
__device__ bool is_aligned(const RuleArray<C>& a) {
  bool aligned = is_aligned(a.x) && is_aligned(a.g) && is_aligned(a.weights) && is_aligned(a.copy);
  for (int k = 0; k < op::kMaxSlots; ++k) aligned = aligned && is_aligned(a.m[k]);
  return aligned;
}

template <class C, class Run, class Body>
__device__ __forceinline__ void with_rule(const Run& run, const Body& body) {
  op::with_member(Rules{}, run.settings.rule, [&](auto member) {
    body(*reinterpret_cast<const typename decltype(member)::template of<C>*>(run.step.rule.held));
  });
}

template <class S, int n>
__device__ __forceinline__ Pack<op::compute_t<S>, n> widened(const Pack<S, n>& from) {
  Pack<op::compute_t<S>, n> wide;
#pragma unroll
  for (int j = 0; j < n; ++j) wide.at[j] = op::Storage<S>::load(from.at[j]);
  return wide;
}

// As they are stored: bfloat16 moments fill a half, and nothing waits for them yet.
template <class S, class Run>
__device__ __forceinline__ void gather_moments(const Run& run, const Place& at, Points<S>& p) {
#pragma unroll
  for (int k = 0; k < op::kMaxSlots; ++k) {
    p.m[k] = {};
    if constexpr (LayoutOf<S>::is_mixed) {
      if (run.settings.narrow[k]) {
        Pack<op::bfloat16, Points<S>::n> half;
        gather(half, reinterpret_cast<const op::bfloat16*>(run.array.m[k]), at);
        memcpy(&p.m[k], &half, sizeof half);
        continue;
      }
    }
    if (run.array.m[k]) gather(p.m[k], run.array.m[k], at);
  }
}
template <class S, class Run, class Rule>
__device__ __forceinline__ void widen_moments(const Run& run, const Rule&, Points<S>& p) {
  if constexpr (LayoutOf<S>::is_mixed) {
#pragma unroll
    for (int k = 0; k < Rule::stored; ++k) {
      if (!run.settings.narrow[k]) continue;
      Pack<op::bfloat16, Points<S>::n> half;
      memcpy(&half, &p.m[k], sizeof half);
      p.m[k] = widened(half);
    }
  }
}

// The rule, then the penalty of the elements.
template <class S, class Run>
__device__ __forceinline__ void points(const Run& run, const Place& at, Points<S>& p) {
  using C = op::compute_t<S>;
  constexpr int n = kRulePack<S>;
  const StepArray<C>& a = run.array;
  p.x = {};
  if (run.settings.reads_x) gather(p.x, static_cast<const x_t<S>*>(a.x), at);
  gather(p.g, static_cast<const g_t<S>*>(a.g), at);
  gather_moments(run, at, p);
  gather_weights(p.weights, a.weights, at);
  Pack<C, n> x = widened(p.x), g = widened(p.g);
  const op::StepArrays<C> own{x.at, g.at, {p.m[0].at, p.m[1].at}};
  with_rule<C>(run, [&](const auto& rule) {
    widen_moments(run, rule, p);
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

}  // namespace proxstep::cuda
