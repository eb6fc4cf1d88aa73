// What a group is multiplied with: its norm, and the root where the steps of its elements differ.
#pragma once
#include "group_sums.cuh"

namespace proxstep::cuda {

// phi, chosen at run time among the convex penalties or the others, so that the search for a root
// is compiled twice and not once a penalty.
template <bool is_convex>
struct NormPenalty {
  static constexpr bool convex = is_convex;
  const AnyPenalty<double>& any;
  PROXSTEP_FN double prox(double z, double s) const {
    return of([=](const auto& penalty) { return penalty.prox(z, s); });
  }
  PROXSTEP_FN double value(double x) const {
    return of([=](const auto& penalty) { return penalty.value(x); });
  }
  PROXSTEP_FN double slope(double r) const {
    return of([=](const auto& penalty) { return penalty.slope(r); });
  }

 private:
  template <class Number>
  PROXSTEP_FN double of(const Number& number) const {
    double result = 0.0;
    op::with_member(op::Penalties{}, any.kind, [&](auto member) {
      using P = typename decltype(member)::template of<double>;
      if constexpr (P::convex == is_convex) result = number(*reinterpret_cast<const P*>(any.held));
    });
    return result;
  }
};

// What becomes of z: the same factor for all of a group, or one by its step and the root nu.
template <class C>
struct Shrinkage {
  C scale_or_nu, inverse;
  bool by_step, nearly_nothing;

  __device__ C operator()(C z, C s) const {
    if (scale_or_nu == C(0)) return z - z;
    if (!by_step) return z * scale_or_nu;
    if (nearly_nothing) return z * op::keep_nearly_all(inverse * s);
    return z * op::group_keep(scale_or_nu, s);
  }
};

template <class S, class C>
__device__ __forceinline__ C root_of(const GroupRun<C>& run, const op::GroupSums& sums, double w) {
  const AnyPenalty<double>& phi = run.settings.wide_norm;
  const auto norm = [&](double nu) {
    return run.unit * op::square_root(quotients<S>(run, C(nu)).squares);
  };
  const auto distance = [&](double nu) {
    return 0.5 * run.unit * (run.unit * quotients<S>(run, C(nu)).moments);
  };
  if (run.settings.convex) {
    return C(op::group_root(NormPenalty<true>{phi}, w, norm, distance, sums));
  }
  return C(op::group_root(NormPenalty<false>{phi}, w, norm, distance, sums));
}

template <class S, class C>
__device__ __forceinline__ Shrinkage<C> shrinkage(GroupRun<C>& run) {
  const StepSums<C> own = group_sums<S>(run);
  if (run.settings.steps_differ) {
    const op::GroupSums sums = over_team(run, own);
    const C nu = root_of<S>(run, sums, double(run.weight));
    return {nu, C(1) / nu, true, sums.most_step < op::small_quotient<C>() * double(nu)};
  }
  const C norm = C(run.unit * op::square_root(own.squares));
  C scale = C(1);
  with_penalty(run.settings.norm, [&](const auto& penalty) {
    scale = op::group_scale(penalty, norm, run.step.step, run.weight);
  });
  return {scale, C(0), false, false};
}

}  // namespace proxstep::cuda
