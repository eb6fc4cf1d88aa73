// The sums over a group that its factor depends on, in double.
#pragma once
#include "../op/group.hpp"
#include "group_packs.cuh"
#include "points.cuh"

namespace proxstep::cuda {

// The sums of a lane's elements, and of the group.
template <class C>
struct StepSums {
  double squares, moments;  // of z; of z^2 s
  C size;                   // the largest |z|
  C shortest, shortest_positive, longest;
};

// Calls body(z, s) with the point and the step of every element of this lane.
template <class S, class C, class Body>
__device__ __forceinline__ void each_point(const GroupRun<C>& run, const Body& body) {
  each_pack<kRulePack<S>>(run.team, run.group, run.aligned, [&](const Place& at) {
    Points<S> p;
    points(run, at, p);
#pragma unroll
    for (int j = 0; j < kRulePack<S>; ++j) {
      if (at.span.holds(j)) body(p.z.at[j], p.s.at[j]);
    }
  });
}

template <class S, class C>
__device__ __noinline__ StepSums<C> add_up(const GroupRun<C>& run) {
  const double factor = 1.0 / run.unit;
  const C none = op::infinity<C>();
  StepSums<C> sums{0.0, 0.0, C(0), none, none, C(0)};
  each_point<S>(run, [&](C z, C s) {
    const double v = sizeof(C) == 4 ? double(z) : double(z) * factor;
    sums.squares += v * v;
    sums.moments += v * v * double(s);
    if (sizeof(C) == 8) sums.size = op::most(sums.size, op::magnitude(z));
    sums.shortest = op::least(s, sums.shortest);
    if (s > C(0)) sums.shortest_positive = op::least(s, sums.shortest_positive);
    sums.longest = op::most(s, sums.longest);
  });
  return sums;
}

// Once more in another unit where the squares leave the range.
template <class S, class C>
__device__ __forceinline__ StepSums<C> group_sums(GroupRun<C>& run) {
  while (true) {
    StepSums<C> sums = add_up<S>(run);
    sums.squares = combined<Plus>(run.team, sums.squares);
    if (sizeof(C) == 4 || run.unit != 1.0 || op::squares_in_range<C>(sums.squares)) return sums;
    run.unit = op::group_unit(combined<Most>(run.team, sums.size));
    if (run.unit == 1.0) return sums;
  }
}

template <class C>
__device__ __forceinline__ op::GroupSums over_team(const GroupRun<C>& run,
                                                   const StepSums<C>& sums) {
  const Team& team = run.team;
  op::GroupSums all;
  all.norm = run.unit * op::square_root(sums.squares);
  all.shortest_step = combined<Least>(team, sums.shortest);
  all.least_step = combined<Least>(team, sums.shortest_positive);
  all.most_step = combined<Most>(team, sums.longest);
  all.mean_step = combined<Plus>(team, sums.moments) / sums.squares;
  all.tolerance = op::root_tolerance<C>();
  return all;
}

// Sums over v = z / (nu + s) / unit, of v^2 and v^2 s.
struct Quotients {
  double squares, moments;
};
// Not inlined: the search for a root calls it from many places.
template <class S, class C>
__device__ __noinline__ Quotients quotients(const GroupRun<C>& run, C nu) {
  const C factor = C(1.0 / run.unit);
  Quotients sums{};
  each_point<S>(run, [&](C z, C s) {
    const double v = op::group_quotient(z * factor, s, nu);
    sums.squares += v * v;
    sums.moments += v * v * double(s);
  });
  return {combined<Plus>(run.team, sums.squares), combined<Plus>(run.team, sums.moments)};
}

}  // namespace proxstep::cuda
