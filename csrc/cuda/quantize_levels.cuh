// An element between the levels of its group, which are chosen at run time: by uniform switches.
#pragma once
#include "quantize_tables.hpp"

namespace proxstep::cuda {

template <class C>
struct TableLevels : op::ScaledLevels<C> {
  const C* r;
  int count;

  // How many levels lie below; none below NaN.
  __device__ int rank(C u) const {
    int low = 0;
    for (int left = count; left > 0;) {
      const int half = left / 2;
      const bool above = u > r[low + half];
      low = above ? low + half + 1 : low;
      left = above ? left - half - 1 : half;
    }
    return low;
  }
  __device__ op::Between<C> between(C z) const {
    const C u = this->units(z);
    const int k = rank(u);
    return {op::clamped(u, r[0], r[count - 1]), r[op::most(k - 1, 0)], r[op::least(k, count - 1)]};
  }
};

template <class C, class Body>
__device__ __forceinline__ void with_levels(const LevelSettings<C>& settings, C scale,
                                            const Body& body) {
  if (settings.table) {
    body(TableLevels<C>{{scale}, settings.table, settings.count});
  } else {
    op::IntegerLevels<C> levels = settings.integers;
    levels.scale = scale;
    body(levels);
  }
}

template <class Levels, class C>
__device__ __forceinline__ C nearest_of(const Levels& levels, C z) {
  if (!op::has_levels(levels.scale)) return op::without_levels(z, levels.scale);
  return levels.stored(op::nearest_level(levels.between(z)));
}
template <class Levels, class C>
__device__ __forceinline__ C drawn(const Levels& levels, C z, C rho) {
  if (rho == C(0)) return nearest_of(levels, z);
  if (rho == C(1)) return z;
  if (!op::has_levels(levels.scale)) return op::without_levels(z, levels.scale);
  return levels.stored(op::drawn_to_level(levels.between(z), rho));
}

// The share of h of an element that is stored as x.
template <class S, class Levels>
__device__ __forceinline__ double value_of(const Levels& levels, S stored, double rho) {
  using C = op::compute_t<S>;
  const C x = op::Storage<S>::load(stored);
  const C nearest = op::Storage<S>::load(op::Storage<S>::pack(nearest_of(levels, x)));
  const double unit = double(levels.stored(C(1)));
  return op::level_value(x, nearest, levels.units(x), levels.between(x), unit, rho);
}

}  // namespace proxstep::cuda
