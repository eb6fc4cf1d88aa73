// What the factor of a group depends on, added up in fixed lanes.
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

// From the root of the sum of its squares, once more over z where they left the range.
template <class C>
double group_norm(std::int64_t n, const C* __restrict z, double root) {
  if (op::is_norm<C>(root)) return root;
  const double unit = group_unit(n, z);
  return unit * op::square_root(lane_sum(n, [=](std::int64_t i) {
           const double v = double(z[i]) / unit;
           return v * v;
         }));
}

template <class C>
__attribute__((noinline)) double shortest_positive(std::int64_t n, const C* s) {
  C least = op::infinity<C>();
  for (std::int64_t i = 0; i < n; ++i) least = s[i] > C(0) ? op::least(s[i], least) : least;
  return double(least);
}

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
// other elements of the group come after these, n is a multiple of kLanes * kLaneRows.
template <class P, class C>
inline __attribute__((always_inline)) void add_steps(std::int64_t n, const C* __restrict z,
                                                     const C* __restrict s, P factor,
                                                     GroupLanes<C>& sums) {
  constexpr std::int64_t many = kLaneRows * kLanes;
  std::int64_t i = 0;
  for (; i + many <= n; i += many) add_rows<kLaneRows>(z + i, s + i, factor, sums);
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
bool in_range(const GroupTotals<C>& total) {
  return op::squares_in_range<C>(total.squares) && op::squares_in_range<C>(total.moments);
}

template <class C>
void gather_tile(const GatherTile<C>& t) {
  if (t.first) open_lanes(*t.to);
  t.steps ? add_steps(t.n, t.z, t.steps, C(1), *t.to) : add_squares_of(t.n, t.z, t.to->squares);
}

// Once more over z where the sums left the range: float32 in double, float64 in other units.
template <class C>
__attribute__((noinline)) GroupTotals<C> totals_in_range(std::int64_t n, const C* z, const C* s,
                                                         GroupTotals<C> total, double* unit) {
  if (sizeof(C) == 8) *unit = group_unit(n, z);
  return sizeof(C) == 4 || *unit != 1.0 ? totals_of(n, z, s, 1.0 / *unit) : total;
}

// ||z|| and its steps.
template <class C>
inline __attribute__((always_inline)) op::GroupSums group_sums(std::int64_t n, const C* z,
                                                               const C* s, GroupTotals<C> total,
                                                               double* unit) {
  *unit = 1.0;
  if (!in_range(total)) total = totals_in_range(n, z, s, total, unit);
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

}  // namespace
}  // namespace proxstep::cpu
