// The loops of group penalties: the factor of a group, from its sums, and the group scaled by it.
#pragma once
#include "group_sums.hpp"
#include "packed_columns.hpp"

namespace proxstep::cpu {
namespace {

template <class C>
struct Group {
  std::int64_t n;
  C* z;
  const C* s;
  C weight;
  PackedColumns<C>* packing = nullptr;  // what brings z and s to their place, if not there yet
};
template <class C>
inline __attribute__((always_inline)) Group<C> group_of(const SegmentTile<C>& t, std::int64_t k) {
  const std::int64_t begin = t.offsets ? t.offsets[k] - t.offsets[0] : k * t.length;
  return {t.offsets ? t.offsets[k + 1] - t.offsets[k] : t.length, t.z + begin,
          t.steps ? t.steps + begin : nullptr, t.weights ? t.weights[k] : C(1)};
}

template <class C>
void scale_diagonal(std::int64_t n, C* __restrict z, const C* __restrict s, GroupFactor<C> by) {
  const C nu = by.value;
  if (nu == C(0)) {
    for (std::int64_t i = 0; i < n; ++i) z[i] -= z[i];
  } else if (double(by.longest) < op::small_quotient<C>() * double(nu)) {
    const C inverse = C(1) / nu;
    for (std::int64_t i = 0; i < n; ++i) z[i] *= op::keep_nearly_all(inverse * s[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) z[i] *= op::group_keep(nu, s[i]);
  }
}

template <class C, class P64>
__attribute__((noinline)) double searched_root(const P64& penalty, const Group<C>& group,
                                               const op::GroupSums& sums, double unit) {
  const auto norm_at = [&](double nu) {
    if (group.packing) group.packing->pack();
    return quotient_norm(group.n, group.z, group.s, C(nu), unit);
  };
  const auto distance_at = [&](double nu) {
    if (group.packing) group.packing->pack();
    return quotient_distance(group.n, group.z, group.s, C(nu));
  };
  return op::group_root(penalty, double(group.weight), norm_at, distance_at, sums);
}

// A vector of them at a time, where the penalty has no branches.
constexpr int kGroupsAtOnce = 8, kFewGroups = 4, kMostGroups = 64;
struct GroupTable {
  double norm[kMostGroups], shortest[kMostGroups], longest[kMostGroups], mean[kMostGroups];
  double weight[kMostGroups], root[kMostGroups];
};
inline std::int64_t full(std::int64_t groups) {
  return (groups + kGroupsAtOnce - 1) / kGroupsAtOnce * kGroupsAtOnce;
}
template <class C, class P64>
__attribute__((noinline)) void sure_roots(const P64& penalty, std::int64_t count, GroupTable& t) {
  for (std::int64_t k = 0; k < count; k += kGroupsAtOnce) {
    for (std::int64_t i = k; i < k + kGroupsAtOnce; ++i) {
      t.root[i] = op::group_sure_root(
          penalty, t.weight[i],
          {t.norm[i], t.shortest[i], t.longest[i], 0.0, t.mean[i], op::root_tolerance<C>()});
    }
  }
}

template <class C>
op::GroupSums sums_of(const SegmentTile<C>& t, const Group<C>& group, double* unit) {
  const GroupTotals<C> total =
      t.gathered ? totals(*t.gathered) : totals_of(group.n, group.z, group.s, C(1));
  return group_sums(group.n, group.z, group.s, total, unit);
}

// root: negative where it has to be searched.
template <class C, class P64>
GroupFactor<C> factor_of_root(const P64& penalty, const Group<C>& group, const op::GroupSums& sums,
                              double unit, double root) {
  if (root < 0.0) root = searched_root(penalty, group, sums, unit);
  return {C(root), C(sums.most_step)};
}

template <class C, class P64>
GroupFactor<C> diagonal_factor(const P64& penalty, const SegmentTile<C>& t, const Group<C>& group) {
  double unit;
  const op::GroupSums sums = sums_of(t, group, &unit);
  return factor_of_root(penalty, group, sums, unit, -1.0);
}

template <class C, class P>
GroupFactor<C> uniform_factor(const P& penalty, const SegmentTile<C>& t, const Group<C>& group) {
  const double sum =
      t.gathered ? fold_lanes(t.gathered->squares) : sum_of_squares(group.n, group.z);
  const C norm = C(group_norm(group.n, group.z, op::square_root(sum)));
  return {op::group_scale(penalty, norm, t.step, group.weight), C(0)};
}

template <class C, template <class> class P>
GroupFactor<C> factor_tile(const SegmentTile<C>& t) {
  const Group<C> group = group_of(t, 0);
  if (t.steps) return diagonal_factor(P<double>(t.settings), t, group);
  return uniform_factor(P<C>(t.settings), t, group);
}

template <class C>
void scale_group(std::int64_t n, C* __restrict z, const C* steps, GroupFactor<C> by) {
  if (steps) return scale_diagonal(n, z, steps, by);
  for (std::int64_t i = 0; i < n; ++i) z[i] = by.value == C(0) ? z[i] - z[i] : z[i] * by.value;
}
template <class C>
void scale_group(const Group<C>& group, GroupFactor<C> by) {
  scale_group(group.n, group.z, group.s, by);
}

// use(k, group, factor) of count groups group_at(k) with the sums sums_at(k, group, &unit).
template <class C, class P64, class GroupAt, class SumsAt, class Use>
void with_factors(const P64& penalty, int count, const GroupAt& group_at, const SumsAt& sums_at,
                  const Use& use) {
  op::GroupSums sums[kGroupsAtOnce] = {};
  double unit[kGroupsAtOnce] = {};
  GroupTable table;
  for (int k = 0; k < kGroupsAtOnce; ++k) {
    const Group<C> group = k < count ? group_at(k) : Group<C>{};
    if (group.n > 0) sums[k] = sums_at(k, group, &unit[k]);
    table.norm[k] = sums[k].norm;
    table.shortest[k] = sums[k].shortest_step;
    table.longest[k] = sums[k].most_step;
    table.mean[k] = sums[k].mean_step;
    table.weight[k] = double(group.weight);
  }
  sure_roots<C>(penalty, kGroupsAtOnce, table);
  for (int k = 0; k < count; ++k) {
    const Group<C> group = group_at(k);
    if (group.n > 0) use(k, group, factor_of_root(penalty, group, sums[k], unit[k], table.root[k]));
  }
}

template <class C, template <class> class P>
void uniform_groups(const SegmentTile<C>& t) {
  const P<C> penalty(t.settings);
  for (std::int64_t k = 0; k < t.groups; ++k) {
    const Group<C> group = group_of(t, k);
    scale_group(group, uniform_factor(penalty, t, group));
  }
}

template <class C, template <class> class P>
void diagonal_groups(const SegmentTile<C>& t) {
  const P<double> penalty(t.settings);
  for (std::int64_t k = 0; k < t.groups; k += kGroupsAtOnce) {
    const int count = static_cast<int>(op::least<std::int64_t>(kGroupsAtOnce, t.groups - k));
    if (count >= kFewGroups) {
      with_factors<C>(
          penalty, count, [&](int i) { return group_of(t, k + i); },
          [&](int, const Group<C>& group, double* unit) { return sums_of(t, group, unit); },
          [](int, const Group<C>& group, GroupFactor<C> by) { scale_group(group, by); });
      continue;
    }
    for (int i = 0; i < count; ++i) {
      const Group<C> group = group_of(t, k + i);
      if (group.n > 0) scale_group(group, diagonal_factor(penalty, t, group));
    }
  }
}

template <class C, class P>
__attribute__((noinline)) void scales_tile(const ScaleTile<C>& t) {
  const P penalty(t.settings);
  for (std::int64_t k = 0; k < t.groups; ++k) {
    const C weight = t.weights ? t.weights[k] : C(1);
    t.norms[k] = op::group_scale(penalty, C(t.norms[k]), t.step, weight);
  }
}

template <class C>
void add_squares(std::int64_t n, const C* __restrict x, double* __restrict sums) {
  for (std::int64_t i = 0; i < n; ++i) sums[i] += double(x[i]) * double(x[i]);
}

template <class C>
void multiply(std::int64_t n, C* __restrict x, const double* __restrict factors) {
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] = factors[i] == 0.0 ? x[i] - x[i] : x[i] * C(factors[i]);
  }
}

template <template <class> class P>
double group_value(double norm, double weight, const double* settings) {
  return op::weighted_value(P<double>(settings), norm, weight);
}

}  // namespace
}  // namespace proxstep::cpu
