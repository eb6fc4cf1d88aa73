// Groups of one small length: many at a time, element i of each beside those of the others, so that
// loops over groups become vectors. The same sums, in the same order, as one by one.
#pragma once
#include "groups.hpp"

namespace proxstep::cpu {
namespace {

constexpr int kSmallGroup = kLanes - 1;  // elements, at most

// A tile of them: their elements, and what is added up in lanes; both [i][group].
template <class C>
struct SmallTile {
  std::int64_t count, length;
  C z[kTile], s[kTile];
  double squares[kTile], moments[kTile];
  C shortest[kTile], longest[kTile];
};

// As many as stay in a tile and fill the vectors of sure_roots().
inline std::int64_t small_groups_at_once(std::int64_t length) {
  return op::least<std::int64_t>(kMostGroups, kTile / length / kGroupsAtOnce * kGroupsAtOnce);
}

template <class C>
__attribute__((noinline)) void turn(std::int64_t rows, std::int64_t columns,
                                    const C* __restrict from, C* __restrict to) {
  if (rows > columns) {
    for (std::int64_t j = 0; j < columns; ++j) {
#pragma GCC unroll 8
      for (std::int64_t i = 0; i < rows; ++i) to[j * rows + i] = from[i * columns + j];
    }
  } else {
    for (std::int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
      for (std::int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
    }
  }
}

// A term for each element, then these together in the order of fold_lanes: the sum of group k comes
// to lie in sums[k].
template <class C, class T, class Term, class Combine>
inline __attribute__((always_inline)) void small_sums(const SmallTile<C>& t, T* __restrict sums,
                                                      const Term& term, const Combine& combine) {
  std::int64_t left = t.length * t.count;
  for (std::int64_t e = 0; e < left; ++e) sums[e] = term(e);
  for (std::int64_t half = kLanes / 2 * t.count; half >= t.count; half /= 2) {
    for (std::int64_t e = half; e < left; ++e) sums[e - half] = combine(sums[e - half], sums[e]);
    left = op::least(left, half);
  }
}
constexpr auto kPlus = [](auto a, auto b) { return a + b; };

template <class C>
__attribute__((noinline)) void add_small_squares(SmallTile<C>& t) {
  small_sums(t, t.squares, [&](std::int64_t e) { return double(t.z[e]) * double(t.z[e]); }, kPlus);
}
template <class C>
__attribute__((noinline)) void add_small_steps(SmallTile<C>& t) {
  const C* __restrict z = t.z;
  const C* __restrict s = t.s;
  small_sums(t, t.squares, [=](std::int64_t e) { return double(z[e] * z[e]); }, kPlus);
  small_sums(t, t.moments, [=](std::int64_t e) { return double(z[e] * z[e] * s[e]); }, kPlus);
  small_sums(
      t, t.shortest, [=](std::int64_t e) { return s[e]; },
      [](C a, C b) { return op::least(b, a); });
  small_sums(
      t, t.longest, [=](std::int64_t e) { return s[e]; }, [](C a, C b) { return op::most(b, a); });
}

// As scale_diagonal.
template <class C>
__attribute__((noinline)) void keep_small(SmallTile<C>& t, const C* __restrict roots) {
  C* __restrict z = t.z;
  const C* __restrict s = t.s;
  const C* __restrict longest = t.longest;
  for (std::int64_t i = 0; i < t.length; ++i, z += t.count, s += t.count) {
    for (std::int64_t k = 0; k < t.count; ++k) {
      const C nu = roots[k];
      const bool nearly_all = double(longest[k]) < op::small_quotient<C>() * double(nu);
      const C keep = nearly_all ? op::keep_nearly_all(C(1) / nu * s[k]) : op::group_keep(nu, s[k]);
      z[k] = nu == C(0) ? z[k] - z[k] : z[k] * keep;
    }
  }
}

template <class C>
GroupTotals<C> totals_at(const SmallTile<C>& t, std::int64_t k) {
  return {t.squares[k], t.moments[k], t.shortest[k], t.longest[k]};
}
template <class C>
__attribute__((noinline)) void tabulate(SmallTile<C>& t, const C* weights, GroupTable& to) {
  for (std::int64_t k = t.count; k < full(t.count); ++k) {  // of no elements
    t.squares[k] = t.moments[k] = 0.0;
    t.shortest[k] = t.longest[k] = C(0);
  }
  for (std::int64_t k = 0; k < full(t.count); ++k) {
    to.norm[k] = op::square_root(t.squares[k]);
    to.mean[k] = t.moments[k] / t.squares[k];
    to.shortest[k] = double(t.shortest[k]);
    to.longest[k] = double(t.longest[k]);
    to.weight[k] = 1.0;
  }
  for (std::int64_t k = 0; weights && k < t.count; ++k) to.weight[k] = double(weights[k]);
}
template <class C, class P64>
__attribute__((noinline)) double found_root(const P64& penalty, const Group<C>& group,
                                            const GroupTotals<C>& total) {
  double unit;
  const op::GroupSums sums = group_sums(group.n, group.z, group.s, total, &unit);
  return searched_root(penalty, group, sums, unit);
}

template <class C, template <class> class P>
void small_groups(const SegmentTile<C>& all, std::int64_t first, SmallTile<C>& t) {
  C* const z = all.z + first * t.length;
  const C* const weights = all.weights ? all.weights + first : nullptr;
  const C* const s = all.steps ? all.steps + first * t.length : nullptr;
  turn(t.count, t.length, z, t.z);
  if (s) {
    turn(t.count, t.length, s, t.s);
    add_small_steps(t);
    GroupTable table;
    tabulate(t, weights, table);
    const P<double> penalty(all.settings);
    C roots[kMostGroups];
    sure_roots<C>(penalty, full(t.count), table);
    for (std::int64_t k = 0; k < t.count; ++k) {
      if (table.root[k] < 0.0 || !in_range(totals_at(t, k))) {
        table.root[k] = found_root(penalty, group_of(all, first + k), totals_at(t, k));
      }
      roots[k] = C(table.root[k]);
    }
    keep_small(t, roots);
  } else {
    add_small_squares(t);
    double* const factors = t.squares;
    for (std::int64_t k = 0; k < t.count; ++k) {
      factors[k] = group_norm(t.length, z + k * t.length, op::square_root(t.squares[k]));
    }
    scales_tile<C, P<C>>({t.count, factors, all.step, weights, all.settings});
    for (std::int64_t i = 0; i < t.length; ++i) multiply(t.count, t.z + i * t.count, factors);
  }
  turn(t.length, t.count, t.z, z);
}

template <class C, template <class> class P>
void segments_tile(const SegmentTile<C>& t) {
  const bool small = !t.offsets && t.length <= kSmallGroup && t.groups >= kFewGroups;
  if (!small) return t.steps ? diagonal_groups<C, P>(t) : uniform_groups<C, P>(t);
  const std::int64_t at_once = small_groups_at_once(t.length);
  SmallTile<C> tile;
  tile.length = t.length;
  for (std::int64_t first = 0; first < t.groups; first += at_once) {
    tile.count = op::least(at_once, t.groups - first);
    small_groups<C, P>(t, first, tile);
  }
}

}  // namespace
}  // namespace proxstep::cpu
