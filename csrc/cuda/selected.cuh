// What becomes of a stretch when its row's threshold is known.
#pragma once
#include "in_order.cuh"
#include "stretch.cuh"

namespace proxstep::cuda {

// Keeps the first ties only.
template <int size, class S, class Goal>
__device__ void write_in_order(const Goal& goal, const Stretch<S>& stretch, const Threshold& t) {
  Ties<op::Key<S>> ties = {static_cast<op::Key<S>>(t.key), goal.wanted_ties(t)};
  const bool aligned = is_aligned(stretch.z) && is_aligned(stretch.out);
  for (long long first = 0; first < stretch.n; first += size * kPack<S>) {  // all threads together
    const long long i = first + team_rank<size>() * kPack<S>, left = stretch.n - i;
    const int count = static_cast<int>(op::most(op::least<long long>(kPack<S>, left), 0ll));
    const bool whole = aligned && count == kPack<S>;
    Pack<S, kPack<S>> pack;
    load(pack, stretch.z + i, count, whole);
    Pack<op::Key<S>, kPack<S>> keys;
#pragma unroll
    for (int j = 0; j < kPack<S>; ++j) keys.at[j] = goal.key(pack.at[j]);
    Pack<bool, kPack<S>> stays;
    ties.wanted -= stay_in_order<size>(keys, {0, count}, ties, stays);
#pragma unroll
    for (int j = 0; j < kPack<S>; ++j) {
      if (!stays.at[j]) pack.at[j] = S{};
    }
    store(pack, stretch.out + i, count, whole);
  }
}

template <int size, class S, class Goal>
__device__ void write_each(const Goal& goal, const Stretch<S>& stretch, const Threshold& t) {
  const bool aligned = is_aligned(stretch.out);
  visit_packs<size>(stretch, [&](long long i, int count, Pack<S, kPack<S>> pack) {
#pragma unroll
    for (int j = 0; j < kPack<S>; ++j) pack.at[j] = goal.result(pack.at[j], t);
    store(pack, stretch.out + i, count, aligned && count == kPack<S>);
  });
}

template <int size, class S, class Goal>
__device__ void write(const Goal& goal, const Stretch<S>& stretch, const Threshold& t) {
  if constexpr (Goal::in_order) {
    if (goal.wanted_ties(t) < t.at.count) return write_in_order<size>(goal, stretch, t);
  }
  write_each<size>(goal, stretch, t);
}

}  // namespace proxstep::cuda
