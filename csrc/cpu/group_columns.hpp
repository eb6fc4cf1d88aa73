// Groups that are the columns of a matrix in C order, and whose elements have steps of their own:
// their sums row by row, the roots of many at a time.
#pragma once
#include "fetch.hpp"
#include "groups.hpp"

namespace proxstep::cpu {
namespace {

template <int rows, class C>
void add_column_rows(const ColumnRows<C>& t, std::int64_t first) {
  double* __restrict squares = t.sums.squares;
  double* __restrict moments = t.sums.moments;
  C* __restrict shortest = t.sums.shortest;
  C* __restrict longest = t.sums.longest;
  const C* __restrict z = t.z + first * t.z_stride;
  const C* __restrict s = t.s + first * t.s_stride;
  const std::int64_t n = t.n, z_stride = t.z_stride, s_stride = t.s_stride;
#pragma GCC ivdep
  for (std::int64_t j = 0; j < n; ++j) {
    C square_sum = C(0), moment_sum = C(0), least = shortest[j], most = longest[j];
    for (int row = 0; row < rows; ++row) {
      const C v = z[row * z_stride + j], step = s[row * s_stride + j], square = v * v;
      square_sum += square;
      moment_sum += square * step;
      least = op::least(step, least);
      most = op::most(step, most);
    }
    squares[j] += double(square_sum);
    moments[j] += double(moment_sum);
    shortest[j] = least;
    longest[j] = most;
  }
}
template <class C>
void add_columns(const ColumnRows<C>& t) {
  std::int64_t row = 0;
  for (; row + kLaneRows <= t.rows; row += kLaneRows) add_column_rows<kLaneRows>(t, row);
  for (; row < t.rows; ++row) add_column_rows<1>(t, row);
}

template <class C>
__attribute__((noinline)) op::GroupSums column_sums(const ColumnSums<C>& all, std::int64_t column,
                                                    const Group<C>& group, double* unit) {
  const GroupTotals<C> total = {all.squares[column], all.moments[column], all.shortest[column],
                                all.longest[column]};
  if (!in_range(total) || total.shortest == C(0)) group.packing->pack();
  return group_sums(group.n, group.z, group.s, total, unit);
}

template <class C, template <class> class P>
void column_roots(const RootTile<C>& t) {
  const P<double> penalty(t.settings);
  for (std::int64_t first = 0; first < t.columns.n; first += PackedColumns<C>::kCount) {
    PackedColumns<C> packed(t, first);
    for (std::int64_t at = 0; at < packed.count(); at += kGroupsAtOnce) {
      const auto group = [&](int k) {
        const C weight = t.weights ? t.weights[first + at + k] : C(1);
        return Group<C>{t.columns.rows, packed.z(at + k), packed.s(at + k), weight, &packed};
      };
      with_factors<C>(
          penalty, op::least<std::int64_t>(kGroupsAtOnce, packed.count() - at), group,
          [&](int k, const Group<C>& g, double* unit) {
            return column_sums(t.columns.sums, first + at + k, g, unit);
          },
          [&](int k, const Group<C>&, GroupFactor<C> by) { t.roots[first + at + k] = by.value; });
    }
  }
}

// Rows of columns, each by its root.
template <class C>
void keep_shares(const ColumnRows<C>& t, const C* __restrict roots) {
  constexpr std::int64_t part = 64;
  for (std::int64_t row = 0; row < t.rows; ++row) {
    C* __restrict z = t.z + row * t.z_stride;
    const C* __restrict s = t.s + row * t.s_stride;
    for (std::int64_t first = 0; first < t.n; first += part) {
      fetch<part>(z + first + kLaneRows * t.z_stride);
      fetch<part>(s + first + kLaneRows * t.s_stride);
      const std::int64_t end = op::least(first + part, t.n);
      for (std::int64_t j = first; j < end; ++j) {
        z[j] = roots[j] == C(0) ? z[j] - z[j] : z[j] * op::group_keep(roots[j], s[j]);
      }
    }
  }
}

}  // namespace
}  // namespace proxstep::cpu
