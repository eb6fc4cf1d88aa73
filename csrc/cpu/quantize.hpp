// The loops of quantising: a scale per group, then its elements between their levels. No branch
// depends on an element.
#pragma once
#include "../op/nm.hpp"
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

template <class C>
struct IntegerLevels : op::IntegerLevels<C> {
  explicit IntegerLevels(const Levels& levels)
      : op::IntegerLevels<C>(op::IntegerLevels<C>::of(levels.most, levels.per_scale)) {}
  void find(std::int64_t, const C*) {}
  op::Between<C> operator()(std::int64_t, C z) const { return this->between(z); }
};

// Finds how many levels lie below each of up to kTile points before any is asked for.
template <class C>
struct TableLevels : op::ScaledLevels<C> {
  int room = 2;  // a power of two above the number of levels; infinities fill it
  C first, last;
  C above[2 * kMostLevels];
  C below[2 * kMostLevels];  // one place on
  op::Score<C> rank[kTile];
  explicit TableLevels(const Levels& levels) : op::ScaledLevels<C>{C(1)} {
    const C* const r = static_cast<const C*>(levels.table);
    while (room <= levels.count) room *= 2;
    for (int k = 0; k < room; ++k) above[k] = k < levels.count ? r[k] : op::infinity<C>();
    for (int k = 0; k < room; ++k) below[k] = r[k > 0 && k <= levels.count ? k - 1 : 0];
    first = r[0];
    last = r[levels.count - 1];
  }
  void find(std::int64_t n, const C* z) {
    C u[kTile];
    for (std::int64_t i = 0; i < n; ++i) u[i] = this->units(z[i]);
    for (std::int64_t i = 0; i < n; ++i) rank[i] = 0;
    for (int half = room / 2; half > 0; half /= 2) bisect(n, u, half, rank);
  }
  // Without a branch: which way an element goes cannot be guessed.
  void bisect(std::int64_t n, const C* __restrict u, int half,
              op::Score<C>* __restrict rank_of) const {
    for (std::int64_t i = 0; i < n; ++i) {
      rank_of[i] += op::Score<C>(u[i] > above[rank_of[i] + half - 1]) * half;
    }
  }
  op::Between<C> operator()(std::int64_t i, C z) const {
    return {op::clamped(this->units(z), first, last), below[rank[i]],
            op::least(above[rank[i]], last)};
  }
};

// z of n <= kTile elements of one group becomes its levels. rho = 0 is a path of its own, where
// 0 / 0 cannot come up.
template <class C, class AllLevels>
void quantize_some(std::int64_t n, C* __restrict z, AllLevels& levels, C rho) {
  levels.find(n, z);
  if (rho == C(0)) {
    for (std::int64_t i = 0; i < n; ++i) {
      z[i] = levels.stored(op::nearest_level(levels(i, z[i])));
    }
  } else {
    for (std::int64_t i = 0; i < n; ++i) {
      z[i] = levels.stored(op::drawn_to_level(levels(i, z[i]), rho));
    }
  }
}

template <class C>
void quantize_at_once(std::int64_t n, C* __restrict z, C scale) {
  for (std::int64_t i = 0; i < n; ++i) z[i] = op::without_levels(z[i], scale);
}

// Calls body(begin, n, group) for stretches of n <= kTile elements of one group.
template <class C, class Body>
void over_groups(const LevelsTile<C>& t, const Body& body) {
  for (std::int64_t k = 0; k * t.length < t.n; ++k) {
    const std::int64_t end = k * t.length + length_of(t, k);
    for (std::int64_t begin = k * t.length; begin < end; begin += kTile) {
      body(begin, op::least<std::int64_t>(kTile, end - begin), k);
    }
  }
}

template <class C, class AllLevels>
void quantize_groups(const LevelsTile<C>& t) {
  AllLevels levels(t.levels);
  over_groups(t, [&](std::int64_t begin, std::int64_t n, std::int64_t group) {
    levels.scale = t.scales[group];
    op::has_levels(levels.scale) ? quantize_some(n, t.z + begin, levels, C(t.levels.rho))
                                 : quantize_at_once(n, t.z + begin, levels.scale);
  });
}

template <class C>
void quantize_tile(const LevelsTile<C>& t) {
  if (C(t.levels.rho) == C(1)) return;
  t.levels.table ? quantize_groups<C, TableLevels<C>>(t) : quantize_groups<C, IntegerLevels<C>>(t);
}

template <class C, class AllLevels>
double levels_value_of(const LevelsTile<C>& t, const C* nearest) {
  AllLevels levels(t.levels);
  double sum = 0.0;
  over_groups(t, [&](std::int64_t begin, std::int64_t n, std::int64_t group) {
    levels.scale = t.scales[group];
    levels.find(n, t.z + begin);
    const double unit = double(levels.stored(C(1)));
    sum += lane_sum(n, [&](std::int64_t i) {
      const C x = t.z[begin + i];
      const op::Between<C> at = levels(i, x);
      return op::level_value(x, nearest[begin + i], levels.units(x), at, unit, t.levels.rho);
    });
  });
  return sum;
}

template <class C>
double levels_value(const LevelsTile<C>& t, const C* nearest) {
  return t.levels.table ? levels_value_of<C, TableLevels<C>>(t, nearest)
                        : levels_value_of<C, IntegerLevels<C>>(t, nearest);
}

}  // namespace
}  // namespace proxstep::cpu
