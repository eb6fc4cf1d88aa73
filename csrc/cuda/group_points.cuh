// The elements of a group, a pack at a time. Their points are never kept in memory: every pass
// over a group computes them anew, and the last one stores.
#pragma once
#include "../op/step.hpp"
#include "group_packs.cuh"

namespace proxstep::cuda {

// What all passes over a group share.
template <class C>
struct GroupRun {
  const StepArray<C>& array;
  const GroupSettings<C>& settings;
  const StepSettings<C>& step;
  C grad_scale, weight;  // weight: of the group
  bool aligned;
  Team team;
  Extent group;
  double unit;  // what z is divided by where it is squared
};

template <class S>
struct Points {
  using C = op::compute_t<S>;
  Pack<S, kGroupPack<S>> x, g;
  Pack<C, kGroupPack<S>> m[op::kMaxSlots], weights, z, s;
};

template <class C, class Run>
__device__ __forceinline__ void with_rule(const GroupRun<C>& run, const Run& body) {
  op::with_member(Rules{}, run.settings.rule, [&](auto member) {
    body(*reinterpret_cast<const typename decltype(member)::template of<C>*>(run.step.rule.held));
  });
}

// The rule, then the penalty of the elements: their code is a sum and not a product.
template <class S, class C>
__device__ __forceinline__ void points(const GroupRun<C>& run, const Place& at, Points<S>& p) {
  constexpr int n = kGroupPack<S>;
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
  with_rule(run, [&](const auto& rule) {
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
