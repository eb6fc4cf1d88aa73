// Where the elements of a group lie, and what all passes over them share.
#pragma once
#include "group_team.cuh"
#include "place.cuh"
#include "share.cuh"

namespace proxstep::cuda {

// Where one group lies.
struct Extent {
  long long begin, stride, length;
};
template <class C>
__device__ Extent extent_of(const Groups<C>& groups, long long k) {
  if (groups.columns) return {k, groups.count, groups.length};
  if (!groups.offsets) return {k * groups.length, 1, groups.length};
  return {groups.offsets[k], 1, groups.offsets[k + 1] - groups.offsets[k]};
}

template <class C>
using GroupShare = Share<C, GroupArray<C>, GroupSettings<C>>;

// What all passes over a group share.
template <class C>
struct GroupRun : GroupShare<C> {
  bool aligned;
  C weight;  // of the group
  Team team;
  Extent group;
  double unit;  // what z is divided by where it is squared
};

// The packs of a segment begin where those of the array do, so that most of them are aligned.
template <int n, class Body>
__device__ __forceinline__ void each_pack(const Team& team, const Extent& group, bool aligned,
                                          const Body& body) {
  const int ahead = group.stride == 1 ? static_cast<int>(group.begin % n) : 0;
  const long long packs = (group.length + ahead + n - 1) / n;
  for (long long pack = team.lane; pack < packs; pack += team.lanes) {
    const long long j = pack * n - ahead;
    const Span span{j < 0 ? ahead : 0, static_cast<int>(op::least<long long>(n, group.length - j))};
    const bool whole = aligned && group.stride == 1 && span.end - span.begin == n;
    body(Place{group.begin + j * group.stride, group.stride, span, whole});
  }
}

template <class S, int n>
__device__ __forceinline__ double sum_of_squares(const Pack<S, n>& x, const Span& span) {
  double sum = 0.0;
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const double v = op::Storage<S>::load(x.at[j]);
    if (span.holds(j)) sum += v * v;
  }
  return sum;
}

// ||x|| in units in which its squares stay in range; root: what they give else.
template <class C>
__device__ __noinline__ double careful_norm(const Team& team, const Extent& group, const C* x,
                                            double root) {
  static_assert(kRulePack<C> == 1, "a lane reads what it has stored itself");
  const auto each = [&](const auto& body) {
    for (long long j = team.lane; j < group.length; j += team.lanes) {
      body(double(x[group.begin + j * group.stride]));
    }
  };
  double size = 0.0, squares = 0.0;
  each([&](double v) { size = op::most(op::magnitude(v), size); });
  const double unit = op::group_unit(combined<Most>(team, size));
  if (unit == 1.0) return root;
  each([&](double v) { squares += (v / unit) * (v / unit); });
  return unit * op::square_root(combined<Plus>(team, squares));
}
// ||x|| of what is stored, from the squares of this lane's elements.
template <class S>
__device__ double stored_norm(const Team& team, const Extent& group, const S* x, double squares) {
  const double root = op::square_root(combined<Plus>(team, squares));
  if constexpr (sizeof(S) == 8) {
    if (!op::is_norm<S>(root)) return careful_norm(team, group, x, root);
  }
  return root;
}

}  // namespace proxstep::cuda
