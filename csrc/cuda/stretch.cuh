// A stretch of a row, and what a team does with its elements.
#pragma once
#include "bins.cuh"
#include "pack.cuh"

namespace proxstep::cuda {

template <class S>
struct Stretch {
  const S* z;
  S* out;  // may be z
  long long n;

  __device__ Stretch(const ProjectCall& call, long long row, long long begin, long long most)
      : z(static_cast<const S*>(call.z) + row * call.n + begin),
        out(static_cast<S*>(call.out) + row * call.n + begin),
        n(op::least(most, call.n - begin)) {}
};

// Calls visit(place, count, pack) for the packs of this thread.
template <int size, class S, class Visit>
__device__ void visit_packs(const Stretch<S>& stretch, const Visit& visit) {
  const bool aligned = is_aligned(stretch.z);
  for (long long i = team_rank<size>() * kPack<S>; i < stretch.n; i += size * kPack<S>) {
    const int count = static_cast<int>(op::least<long long>(kPack<S>, stretch.n - i));
    Pack<S, kPack<S>> pack;
    load(pack, stretch.z + i, count, aligned && count == kPack<S>);
    visit(i, count, pack);
  }
}

template <int size, class S, class Goal>
__device__ Survey survey(const Goal& goal, const Stretch<S>& stretch) {
  Survey own = {0.0, -op::infinity<double>()};
  visit_packs<size>(stretch, [&](long long, int count, const Pack<S, kPack<S>>& pack) {
#pragma unroll
    for (int j = 0; j < kPack<S>; ++j) {
      const double element = goal.size(pack.at[j]);
      if (j < count) add_survey(own, {goal.term(element), element});
    }
  });
  return team_survey<size>(own);
}

// The elements that have the digits found so far, by their next one.
template <int size, class S, class Goal>
__device__ const Bin* next_bins(const Goal& goal, const Stretch<S>& stretch, const Threshold& t) {
  using Key = op::Key<S>;
  const int shift = t.shift - kDigit;
  const Key known = static_cast<Key>(t.key) >> shift >> kDigit;
  Bins<int> own = {};
  visit_packs<size>(stretch, [&](long long, int count, const Pack<S, kPack<S>>& pack) {
#pragma unroll
    for (int j = 0; j < kPack<S>; ++j) {
      const Key digits = goal.key(pack.at[j]) >> shift;
      if (j >= count || digits >> kDigit != known || !goal.can_be_selected(pack.at[j], t)) continue;
      const int own_digit = static_cast<int>(digits % kBins);
#pragma unroll
      for (int digit = 0; digit < kBins; ++digit) {
        const bool here = own_digit == digit;
        own.count[digit] += here;
        if constexpr (Goal::sums) own.sum[digit] += here ? goal.below_largest(pack.at[j], t) : 0.0;
      }
    }
  });
  return join_bins<size, Goal::sums>(own);
}

}  // namespace proxstep::cuda
