// Projections of rows that are short, or many: a warp or a block does a row from end to end.
#pragma once
#include "goals.cuh"
#include "selected.cuh"

namespace proxstep::cuda {

template <class S, class Goal>
__device__ Threshold first_threshold(const Goal& goal, const Survey& found) {
  Threshold t = {};
  t.shift = op::kKeyBits<S>;
  goal.begin(found, t);
  return t;
}

template <class S, template <class> class GoalOf, int size>
__global__ void __launch_bounds__(kThreads, kResident)
    rows_kernel(const ProjectCall __grid_constant__ call) {
  const GoalOf<S> goal(call);
  constexpr int teams = kThreads / size;
  const long long at_once = static_cast<long long>(gridDim.x) * teams;
  const long long first = static_cast<long long>(blockIdx.x) * teams + threadIdx.x / size;
  for (long long row = first; row < call.rows; row += at_once) {
    const Stretch<S> stretch(call, row, 0, call.n);
    Survey found = {};
    if constexpr (goal.sums) found = survey<size>(goal, stretch);
    Threshold t = first_threshold<S>(goal, found);
    while (!t.done) add_digit<S>(goal, next_bins<size>(goal, stretch, t), t);
    write<size>(goal, stretch, t);
  }
}

}  // namespace proxstep::cuda
