// The loops of group penalties: what a group's factor depends on, added up in fixed lanes, and the
// group scaled by it.
#pragma once
#include "../op/group.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace proxstep::cpu {
namespace {

// What to divide z by so that squares stay in range, where they did not.
template <class C>
double group_unit(std::int64_t n, const C* __restrict z) {
  double size = 0.0;
  for (std::int64_t i = 0; i < n; ++i) size = op::most(size, double(op::magnitude(z[i])));
  return op::group_unit(size);
}

// With no elements yet.
template <class C>
inline __attribute__((always_inline)) void open_lanes(GroupLanes<C>& sums) {
  for (int lane = 0; lane < kLanes; ++lane) sums.squares[lane] = sums.moments[lane] = 0.0;
  for (int lane = 0; lane < kLanes; ++lane) sums.shortest[lane] = op::infinity<C>();
  for (int lane = 0; lane < kLanes; ++lane) sums.longest[lane] = C(0);
}

template <class C>
inline __attribute__((always_inline)) void add_squares_of(std::int64_t n, const C* __restrict z,
                                                          double (&to)[kLanes]) {
  add_to_lanes(to, n, [=](std::int64_t i) { return double(z[i]) * double(z[i]); });
}
template <class C>
double sum_of_squares(std::int64_t n, const C* z) {
  double sum[kLanes] = {};
  add_squares_of(n, z, sum);
  return fold_lanes(sum);
}

// From the sum of its squares, once more over z where they left the range.
template <class C>
double group_norm(std::int64_t n, const C* __restrict z, double sum) {
  if (sizeof(C) == 4 || op::squares_in_range<C>(sum)) return op::square_root(sum);
  const double unit = group_unit(n, z);
  return unit * op::square_root(lane_sum(n, [=](std::int64_t i) {
           const double v = double(z[i]) / unit;
           return v * v;
         }));
}

template <class C>
double shortest_positive(std::int64_t n, const C* s) {
  C least = op::infinity<C>();
  for (std::int64_t i = 0; i < n; ++i) least = s[i] > C(0) ? op::least(s[i], least) : least;
  return double(least);
}

// Rows of kLanes elements whose terms are added up in the compute type before they go to double:
// few enough that this is as good as a sum in double of terms that were rounded.
constexpr int kRowsAtOnce = 4;
static_assert(kTile % (kRowsAtOnce * kLanes) == 0, "a tile ends no row early");

template <int rows, class P, class C>
inline __attribute__((always_inline)) void add_rows(const C* __restrict z, const C* __restrict s,
                                                    P factor, GroupLanes<C>& sums) {
  P squares[kLanes] = {}, moments[kLanes] = {};
  for (int row = 0; row < rows; ++row, z += kLanes, s += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const P v = P(z[lane]) * factor, square = v * v;
      squares[lane] += square;
      moments[lane] += square * P(s[lane]);
      sums.shortest[lane] = op::least(s[lane], sums.shortest[lane]);
      sums.longest[lane] = op::most(s[lane], sums.longest[lane]);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) sums.squares[lane] += double(squares[lane]);
  for (int lane = 0; lane < kLanes; ++lane) sums.moments[lane] += double(moments[lane]);
}

// z in units of 1 / factor, n elements and their steps; P: what the terms are computed in. Where
// other elements of the group come after these, n is a multiple of kLanes * kRowsAtOnce.
template <class P, class C>
inline __attribute__((always_inline)) void add_steps(std::int64_t n, const C* __restrict z,
                                                     const C* __restrict s, P factor,
                                                     GroupLanes<C>& sums) {
  constexpr std::int64_t many = kRowsAtOnce * kLanes;
  std::int64_t i = 0;
  for (; i + many <= n; i += many) add_rows<kRowsAtOnce>(z + i, s + i, factor, sums);
  for (; i + kLanes <= n; i += kLanes) add_rows<1>(z + i, s + i, factor, sums);
  if (i == n) return;
  C last_z[kLanes], last_s[kLanes];  // filled up with zeros that have the last step
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    last_z[lane] = i + lane < n ? z[i + lane] : C(0);
    last_s[lane] = s[op::least(i + lane, n - 1)];
  }
  add_rows<1>(last_z, last_s, factor, sums);
}

template <class C>
struct GroupTotals {
  double squares, moments;
  C shortest, longest;
};
template <class C>
inline __attribute__((always_inline)) GroupTotals<C> totals(const GroupLanes<C>& sums) {
  return {fold_lanes(sums.squares), fold_lanes(sums.moments),
          fold_lanes(sums.shortest, [](C a, C b) { return op::least(a, b); }),
          fold_lanes(sums.longest, [](C a, C b) { return op::most(a, b); })};
}
template <class P, class C>
GroupTotals<C> totals_of(std::int64_t n, const C* z, const C* s, P factor) {
  GroupLanes<C> sums;
  open_lanes(sums);
  add_steps(n, z, s, factor, sums);
  return totals(sums);
}

template <class C>
void gather_tile(const GatherTile<C>& t) {
  if (t.first) open_lanes(*t.to);
  t.steps ? add_steps(t.n, t.z, t.steps, C(1), *t.to) : add_squares_of(t.n, t.z, t.to->squares);
}

// ||z|| and its steps, from the sums; once more over z where they left the range: float32 in
// double, float64 in other units.
template <class C>
op::GroupSums group_sums(std::int64_t n, const C* z, const C* s, GroupTotals<C> total,
                         double* unit) {
  if (!op::squares_in_range<C>(total.squares) || !op::squares_in_range<C>(total.moments)) {
    if (sizeof(C) == 8) *unit = group_unit(n, z);
    if (sizeof(C) == 4 || *unit != 1.0) total = totals_of(n, z, s, 1.0 / *unit);
  }
  op::GroupSums sums;
  sums.norm = *unit * op::square_root(total.squares);
  sums.shortest_step = total.shortest;
  sums.least_step = total.shortest == C(0) ? shortest_positive(n, s) : double(total.shortest);
  sums.most_step = total.longest;
  sums.mean_step = total.moments / total.squares;
  sums.tolerance = op::root_tolerance<C>();
  return sums;
}

// Not inlined: the search for a root calls these from many places, for every penalty.
template <class C>
__attribute__((noinline)) double quotient_norm(std::int64_t n, const C* __restrict z,
                                               const C* __restrict s, C nu, double unit) {
  const C factor = C(1.0 / unit);
  return unit * op::square_root(lane_sum(n, [=](std::int64_t i) {
           const double v = op::group_quotient(z[i] * factor, s[i], nu);
           return v * v;
         }));
}

template <class C>
__attribute__((noinline)) double quotient_distance(std::int64_t n, const C* __restrict z,
                                                   const C* __restrict s, C nu) {
  return 0.5 * lane_sum(n, [=](std::int64_t i) {
           const double v = op::group_quotient(z[i], s[i], nu);
           return v * v * double(s[i]);
         });
}

template <class C>
struct Group {
  std::int64_t n;
  C* z;
  const C* s;
  C weight;
};
template <class C>
Group<C> group_of(const SegmentTile<C>& t, std::int64_t k) {
  const std::int64_t begin = t.offsets ? t.offsets[k] - t.offsets[0] : k * t.length;
  return {t.offsets ? t.offsets[k + 1] - t.offsets[k] : t.length, t.z + begin,
          t.steps ? t.steps + begin : nullptr, t.weights ? t.weights[k] : C(1)};
}
// Elements that have steps of their own, by their group's root.
template <class C>
void scale_diagonal(std::int64_t n, C* __restrict z, const C* __restrict s, C nu,
                    double most_step) {
  if (nu == C(0)) {
    for (std::int64_t i = 0; i < n; ++i) z[i] -= z[i];
  } else if (most_step < op::small_quotient<C>() * double(nu)) {
    const C inverse = C(1) / nu;
    for (std::int64_t i = 0; i < n; ++i) z[i] *= op::keep_nearly_all(inverse * s[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) z[i] *= op::group_keep(nu, s[i]);
  }
}

template <class C, class P64>
double searched_root(const P64& penalty, const Group<C>& group, const op::GroupSums& sums,
                     double unit) {
  const auto norm_at = [=](double nu) {
    return quotient_norm(group.n, group.z, group.s, C(nu), unit);
  };
  const auto distance_at = [=](double nu) {
    return quotient_distance(group.n, group.z, group.s, C(nu));
  };
  return op::group_root(penalty, double(group.weight), norm_at, distance_at, sums);
}

// A vector of them, where the penalty has no branches.
constexpr int kGroupsAtOnce = 8, kFewGroups = 4;
template <class P64>
__attribute__((noinline)) void sure_roots(const P64& penalty, const op::GroupSums* __restrict sums,
                                          const double* __restrict weight,
                                          double* __restrict root) {
  for (int k = 0; k < kGroupsAtOnce; ++k) {
    root[k] = op::group_sure_root(penalty, weight[k], sums[k]);
  }
}

template <class C>
op::GroupSums sums_of(const SegmentTile<C>& t, const Group<C>& group, double* unit) {
  const GroupTotals<C> total =
      t.gathered ? totals(*t.gathered) : totals_of(group.n, group.z, group.s, C(1));
  *unit = 1.0;
  return group_sums(group.n, group.z, group.s, total, unit);
}

// root: negative where it has to be searched.
template <class C, class P64>
void scale_by_root(const P64& penalty, const Group<C>& group, const op::GroupSums& sums,
                   double unit, double root) {
  if (root < 0.0) root = searched_root(penalty, group, sums, unit);
  scale_diagonal(group.n, group.z, group.s, C(root), sums.most_step);
}

template <class C, class P64>
void diagonal_group(const P64& penalty, const SegmentTile<C>& t, std::int64_t k) {
  const Group<C> group = group_of(t, k);
  if (group.n == 0) return;
  double unit;
  const op::GroupSums sums = sums_of(t, group, &unit);
  scale_by_root(penalty, group, sums, unit, -1.0);
}

template <class C, class P64>
void diagonal_groups(const P64& penalty, const SegmentTile<C>& t, std::int64_t first, int count) {
  op::GroupSums sums[kGroupsAtOnce] = {};
  double unit[kGroupsAtOnce], weight[kGroupsAtOnce] = {}, root[kGroupsAtOnce];
  for (int k = 0; k < count; ++k) {
    const Group<C> group = group_of(t, first + k);
    weight[k] = double(group.weight);
    if (group.n > 0) sums[k] = sums_of(t, group, &unit[k]);
  }
  sure_roots(penalty, sums, weight, root);
  for (int k = 0; k < count; ++k) {
    const Group<C> group = group_of(t, first + k);
    if (group.n > 0) scale_by_root(penalty, group, sums[k], unit[k], root[k]);
  }
}

template <class C, class P>
void uniform_group(const P& penalty, const SegmentTile<C>& t, const Group<C>& group) {
  const double sum =
      t.gathered ? fold_lanes(t.gathered->squares) : sum_of_squares(group.n, group.z);
  const C norm = C(group_norm(group.n, group.z, sum));
  const C scale = op::group_scale(penalty, norm, t.step, group.weight);
  C* __restrict z = group.z;
  for (std::int64_t i = 0; i < group.n; ++i) z[i] = scale == C(0) ? z[i] - z[i] : z[i] * scale;
}

template <class C, template <class> class P>
void segments_tile(const SegmentTile<C>& t) {
  if (!t.steps) {
    const P<C> penalty(t.settings);
    for (std::int64_t k = 0; k < t.groups; ++k) uniform_group(penalty, t, group_of(t, k));
    return;
  }
  const P<double> penalty(t.settings);
  for (std::int64_t k = 0; k < t.groups; k += kGroupsAtOnce) {
    const int count = static_cast<int>(op::least<std::int64_t>(kGroupsAtOnce, t.groups - k));
    if (count >= kFewGroups) {
      diagonal_groups(penalty, t, k, count);
      continue;
    }
    for (int i = 0; i < count; ++i) diagonal_group(penalty, t, k + i);
  }
}

template <class C, class P>
void scales_tile(const ScaleTile<C>& t) {
  const P penalty(t.settings);
  for (std::int64_t k = 0; k < t.groups; ++k) {
    const C norm = C(op::square_root(t.sums[k]));
    t.sums[k] = op::group_scale(penalty, norm, t.step, t.weights ? t.weights[k] : C(1));
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
