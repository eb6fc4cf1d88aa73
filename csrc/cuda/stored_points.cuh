// What becomes of points: rounded to what their layout holds, stored, and counted.
#pragma once
#include "noise.cuh"
#include "points.cuh"
#include "statistics.cuh"

namespace proxstep::cuda {

// x as it is stored, and the copy of a master.
template <class S, class Run>
__device__ __forceinline__ void narrow_x(const Run& run, const Noise& noise, const Place& at,
                                         const Pack<op::compute_t<S>, kRulePack<S>>& x,
                                         Points<S>& p) {
#pragma unroll
  for (int j = 0; j < kRulePack<S>; ++j) {
    p.x.at[j] = op::Storage<x_t<S>>::pack(x.at[j]);
    if constexpr (LayoutOf<S>::has_copy) p.copy.at[j] = op::Storage<g_t<S>>::pack(x.at[j]);
  }
  if constexpr (LayoutOf<S>::is_mixed && sizeof(x_t<S>) == 2) {
    if (run.settings.stochastic) round_pack(noise, at, x, p.x);
  }
}

template <class S, class Run>
__device__ __forceinline__ void scatter_moments(const Run& run, const Noise& noise, const Place& at,
                                                const Points<S>& p) {
  if constexpr (LayoutOf<S>::is_mixed) {  // all that a rule writes are narrow, or none
    if (run.settings.narrow[0]) {
      return scatter_rounded(noise, at, p.m, run.array.m, run.settings.writes);
    }
  }
#pragma unroll
  for (int k = 0; k < op::kMaxSlots; ++k) {
    if (k < run.settings.writes) scatter(p.m[k], run.array.m[k], at);
  }
}

// Stores x and the moments that change; prox(j): what element j becomes.
template <class S, class Run, class Prox>
__device__ __forceinline__ void store_points(const Run& run, const Noise& noise, const Place& at,
                                             Points<S>& p, const Prox& prox) {
  using C = op::compute_t<S>;
  Pack<C, kRulePack<S>> x = widened(p.x);
  const op::StepArrays<C> own{x.at, nullptr, {p.m[0].at, p.m[1].at}};
  with_rule<C>(run, [&](const auto& rule) {
#pragma unroll
    for (int j = 0; j < kRulePack<S>; ++j) op::step_store(own, j, prox(j), rule);
  });
  narrow_x(run, noise, at, x, p);
  scatter(p.x, static_cast<x_t<S>*>(run.array.x), at);
  if constexpr (LayoutOf<S>::has_copy) scatter(p.copy, static_cast<g_t<S>*>(run.array.copy), at);
  scatter_moments(run, noise, at, p);
}

// Penalty and change are those of a master; zeros and what is not finite are counted in its copy.
template <class S, class Run, class Sum>
__device__ __forceinline__ void add_point_sums(const Run& run,
                                               const Pack<x_t<S>, kRulePack<S>>& before,
                                               const Points<S>& p, const Span& span,
                                               BlockSums<Sum>& sums) {
  constexpr int n = kRulePack<S>;
  add_sums(run.step.penalty, Change<x_t<S>, n>{before, p.x, p.weights}, span, sums);
  if constexpr (LayoutOf<S>::has_copy) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      const float master = p.x.at[j], copy = op::Storage<g_t<S>>::load(p.copy.at[j]);
      if (!span.holds(j)) continue;
      sums.nonzeros += (copy != 0.0f) - (master != 0.0f);
      sums.not_finite += !(copy - copy == 0.0f) - !(master - master == 0.0f);
    }
  }
}

}  // namespace proxstep::cuda
