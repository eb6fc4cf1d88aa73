// The loops of quantising: a scale per group, then its elements between their levels. A table of
// levels is passed over level by level, so that elements are compared abreast.
#pragma once
#include "../op/project.hpp"
#include "../op/quantize.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace proxstep::cpu {
namespace {

// NaN above infinity, as keys compare.
template <class C>
C largest_size(std::int64_t n, const C* __restrict z) {
  op::Key<C> largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const op::Key<C> size = op::Bits<C>::of(z[i]) & (op::kSign<C> - 1);
    largest = size > largest ? size : largest;
  }
  return op::Bits<C>::number(largest);
}

template <class C>
C mean_scale(std::int64_t n, const C* __restrict z, double multiple) {
  const double sum = lane_sum(n, [=](std::int64_t i) { return double(op::magnitude(z[i])); });
  return op::mean_scale(sum, double(n), multiple, largest_size(n, z));
}

template <class C>
std::int64_t length_of(const LevelsTile<C>& t, std::int64_t group) {
  return op::least(t.length, t.n - group * t.length);
}

template <class C>
void level_scales(const LevelsTile<C>& t, C* scales) {
  for (std::int64_t k = 0; k * t.length < t.n; ++k) {
    const C* const z = t.z + k * t.length;
    const std::int64_t n = length_of(t, k);
    scales[k] = t.levels.scale == Levels::Scale::mean ? mean_scale(n, z, t.levels.multiple)
                                                      : largest_size(n, z);
  }
}

// The integers -most..most, of which per_scale make up the scale.
template <class C>
struct IntegerLevels {
  C most, per_scale;
  explicit IntegerLevels(const Levels& levels)
      : most(C(levels.most)), per_scale(C(levels.per_scale)) {}
  void find(std::int64_t, const C*) {}
  op::Between<C> operator()(std::int64_t, C u) const {
    return op::between_integers(op::clamped(u, -most, most));
  }
};

// Finds the neighbours of up to kTile points before any is asked for.
template <class C>
struct TableLevels {
  static constexpr C per_scale = C(1);
  const C* __restrict level;
  int count;
  C lower[kTile], upper[kTile];
  explicit TableLevels(const Levels& levels)
      : level(static_cast<const C*>(levels.table)), count(levels.count) {}
  void find(std::int64_t n, const C* __restrict u) {
    for (std::int64_t i = 0; i < n; ++i) lower[i] = upper[i] = level[0];
    for (int j = 1; j < count; ++j) {
      const C below = level[j - 1], here = level[j];
      for (std::int64_t i = 0; i < n; ++i) {
        lower[i] = u[i] > below ? below : lower[i];
        upper[i] = u[i] > below ? here : upper[i];
      }
    }
  }
  op::Between<C> operator()(std::int64_t i, C u) const {
    return {op::clamped(u, level[0], level[count - 1]), lower[i], upper[i]};
  }
};

// z of one group becomes its levels; rho = 0 is a path of its own, where 0 / 0 cannot come up.
template <class C, class AllLevels>
void quantize_group(std::int64_t count, C* __restrict z, C scale, AllLevels& levels, C rho) {
  C u[kTile];
  for (std::int64_t begin = 0; begin < count; begin += kTile) {
    const std::int64_t n = op::least<std::int64_t>(kTile, count - begin);
    C* __restrict x = z + begin;
    for (std::int64_t i = 0; i < n; ++i) u[i] = x[i] / scale * levels.per_scale;
    levels.find(n, u);
    if (rho == C(0)) {
      for (std::int64_t i = 0; i < n; ++i) {
        x[i] = scale * (op::nearest_level(levels(i, u[i])) / levels.per_scale);
      }
    } else {
      for (std::int64_t i = 0; i < n; ++i) {
        x[i] = scale * (op::drawn_to_level(levels(i, u[i]), rho) / levels.per_scale);
      }
    }
  }
}

// Where the scale is 0 all levels are; where it is not finite there are none.
template <class C>
void quantize_at_once(std::int64_t n, C* __restrict z, C scale) {
  for (std::int64_t i = 0; i < n; ++i) z[i] = (scale - scale) + op::zero_or_nan(z[i]);
}

template <class C, class AllLevels>
void quantize_groups(const LevelsTile<C>& t) {
  AllLevels levels(t.levels);
  for (std::int64_t k = 0; k * t.length < t.n; ++k) {
    const C scale = t.scales[k];
    const bool usual = scale > C(0) && scale < op::infinity<C>();
    C* const z = t.z + k * t.length;
    usual ? quantize_group(length_of(t, k), z, scale, levels, C(t.levels.rho))
          : quantize_at_once(length_of(t, k), z, scale);
  }
}

template <class C>
void quantize_tile(const LevelsTile<C>& t) {
  if (C(t.levels.rho) == C(1)) return;
  t.levels.table ? quantize_groups<C, TableLevels<C>>(t) : quantize_groups<C, IntegerLevels<C>>(t);
}

template <class C, class AllLevels>
double levels_value_of(const LevelsTile<C>& t, const C* __restrict nearest) {
  AllLevels levels(t.levels);
  C u[kTile];
  double sum = 0.0;
  for (std::int64_t k = 0; k * t.length < t.n; ++k) {
    const std::int64_t end = k * t.length + length_of(t, k);
    const double unit = double(t.scales[k]) / double(levels.per_scale);
    for (std::int64_t begin = k * t.length; begin < end; begin += kTile) {
      const std::int64_t n = op::least<std::int64_t>(kTile, end - begin);
      const C* const x = t.z + begin;
      for (std::int64_t i = 0; i < n; ++i) u[i] = x[i] / t.scales[k] * levels.per_scale;
      levels.find(n, u);
      sum += lane_sum(n, [&](std::int64_t i) {
        return op::level_value(x[i], nearest[begin + i], u[i], levels(i, u[i]), unit, t.levels.rho);
      });
    }
  }
  return sum;
}

template <class C>
double levels_value(const LevelsTile<C>& t, const C* nearest) {
  return t.levels.table ? levels_value_of<C, TableLevels<C>>(t, nearest)
                        : levels_value_of<C, IntegerLevels<C>>(t, nearest);
}

}  // namespace
}  // namespace proxstep::cpu
