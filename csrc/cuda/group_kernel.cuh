// The step of arrays with groups: many of them in one launch, one kernel for each storage type. The
// rule, the penalty of the elements and that of the groups are uniform switches.
#pragma once
#include "group_root.cuh"
#include "stored_points.cuh"

namespace proxstep::cuda {

// What a group of this norm is worth.
template <class S, class C>
__device__ double group_value(const AnyPenalty<double>& any, C weight, double norm) {
  double value = 0.0;
  with_penalty(any, [&](const auto& penalty) {
    value = op::group_value<S>(
        [&](double r) { return op::weighted_value(penalty, r, double(weight)); }, norm);
  });
  return value;
}

// The last pass, and what it can tell.
template <class S, class C>
__device__ __noinline__ BlockSums<double> store_group(const GroupRun<C>& run,
                                                      const Shrinkage<C>& shrink, bool counts) {
  const Noise noise = noise_of<S>(run, run.group.begin);
  BlockSums<double> sums = {};
  double squares = 0.0;
  each_pack<kRulePack<S>>(run.team, run.group, run.aligned, [&](const Place& at) {
    Points<S> p;
    points(run, at, p);
    const auto before = p.x;
    store_points(run, noise, at, p, [&](int j) { return shrink(p.z.at[j], p.s.at[j]); });
    if (!counts) return;
    add_point_sums(run, before, p, at.span, sums);
    squares += sum_of_squares(p.x, at.span);
  });
  if (!counts) return sums;
  const auto* const x = static_cast<const x_t<S>*>(run.array.x);
  const double norm = stored_norm(run.team, run.group, x, squares);
  if (run.team.lane == 0) {
    sums.penalty += group_value<x_t<S>>(run.settings.wide_norm, run.weight, norm);
  }
  return sums;
}

// What a block does, whatever the table's capacity.
template <class S, class C>
__device__ __noinline__ BlockSums<double> step_groups(const GroupShare<C> share, bool counts) {
  const Groups<C>& groups = share.array.groups;
  const Team team = make_team(groups, share.block);
  if (team.group >= groups.count) return {};
  const Extent group = extent_of(groups, team.group);
  if (group.length == 0) return {};
  const C weight = groups.weights ? groups.weights[team.group] : C(1);
  GroupRun<C> run{share, is_aligned(share.array), weight, team, group, 1.0};
  const Shrinkage<C> shrink = shrinkage<S>(run);
  return store_group<S>(run, shrink, counts);
}

template <class S, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    group_kernel(const GroupTable<op::compute_t<S>, capacity> __grid_constant__ table) {
  const BlockSums<double> sums = step_groups<S>(share_of(table), table.sums != nullptr);
  if (table.sums) store_block_sums(sums, table.sums + blockIdx.x);
}

// The penalty's value of one array with groups.
template <class S>
__global__ void __launch_bounds__(kThreads, kResident)
    group_value_kernel(const GroupValueCall<op::compute_t<S>> __grid_constant__ call) {
  using C = op::compute_t<S>;
  constexpr int n = kRulePack<S>;
  const Team team = make_team(call.groups, blockIdx.x);
  BlockSums<double> sums = {};
  if (team.group < call.groups.count) {
    const Extent group = extent_of(call.groups, team.group);
    const bool aligned = is_aligned(call.x) && is_aligned(call.weights);
    double squares = 0.0;
    each_pack<n>(team, group, aligned, [&](const Place& at) {
      Pack<S, n> x;
      Pack<C, n> weights;
      gather(x, static_cast<const S*>(call.x), at);
      gather_weights(weights, call.weights, at);
      add_sums(call.penalty, Change<S, n>{x, x, weights}, at.span, sums);
      squares += sum_of_squares(x, at.span);
    });
    const C weight = call.groups.weights ? call.groups.weights[team.group] : C(1);
    const double norm = stored_norm(team, group, static_cast<const S*>(call.x), squares);
    if (team.lane == 0) sums.penalty += group_value<S>(call.norm, weight, norm);
  }
  store_block_sums(sums, call.sums + blockIdx.x);
}

}  // namespace proxstep::cuda
