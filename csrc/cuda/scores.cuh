// The scores by which N:M sparsity and selections rank the points of a pack.
#pragma once
#include "../op/nm.hpp"
#include "points.cuh"

namespace proxstep::cuda {

template <class S>
using Scores = Pack<op::Score<op::compute_t<S>>, kRulePack<S>>;

template <class S>
__device__ __forceinline__ Scores<S> scores(const Points<S>& p, bool steps_differ) {
  Scores<S> found;
#pragma unroll
  for (int j = 0; j < kRulePack<S>; ++j) {
    const auto z = p.z.at[j];
    found.at[j] = steps_differ ? op::nm_score(z, p.s.at[j]) : op::nm_score(z);
  }
  return found;
}

}  // namespace proxstep::cuda
