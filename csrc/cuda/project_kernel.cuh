// Projections of long rows onto balls: four bits of the threshold a pass, from the top, until its
// bin holds equal elements. In a pass many blocks leave their bins, and one block a row adds them
// up, sums in a fixed order; the number of passes does not depend on the elements.
#pragma once
#include "rows_kernel.cuh"

namespace proxstep::cuda {

// The place of a block in rows of several blocks.
struct BlockOfRow {
  long long row;
  int block;
  __device__ explicit BlockOfRow(const ProjectCall& call)
      : row(blockIdx.x / call.blocks), block(blockIdx.x % call.blocks) {}
  template <class S>
  __device__ Stretch<S> stretch(const ProjectCall& call) const {
    return {call, row, block * call.chunk, call.chunk};
  }
};

template <class S>
__global__ void __launch_bounds__(kThreads)
    survey_kernel(const ProjectCall __grid_constant__ call) {
  const Survey found = survey<kThreads>(Ball<S>(call), BlockOfRow(call).stretch<S>(call));
  if (threadIdx.x == 0) call.surveys[blockIdx.x] = found;
}

template <class S>
__global__ void __launch_bounds__(kThreads) begin_kernel(const ProjectCall __grid_constant__ call) {
  const Ball<S> goal(call);
  Survey found = {0.0, -op::infinity<double>()};
  const Survey* const surveys = call.surveys + blockIdx.x * static_cast<long long>(call.blocks);
  for (int k = threadIdx.x; k < call.blocks; k += kThreads) add_survey(found, surveys[k]);
  found = team_survey<kThreads>(found);
  if (threadIdx.x == 0) call.thresholds[blockIdx.x] = first_threshold<S>(goal, found);
}

template <class S>
__global__ void __launch_bounds__(kThreads, kResident)
    bins_kernel(const ProjectCall __grid_constant__ call) {
  const BlockOfRow at(call);
  const Threshold t = call.thresholds[at.row];
  if (t.done) return;
  const Bin* const bins = next_bins<kThreads>(Ball<S>(call), at.stretch<S>(call), t);
  const long long first = blockIdx.x * static_cast<long long>(kBins);
  if (threadIdx.x < kBins) call.bins[first + threadIdx.x] = bins[threadIdx.x];
}

template <class S>
__global__ void __launch_bounds__(kThreads, kResident)
    digit_kernel(const ProjectCall __grid_constant__ call) {
  const Ball<S> goal(call);
  Threshold t = call.thresholds[blockIdx.x];
  if (t.done) return;
  Bins<long long> bins = {};
  const Bin* const parts = call.bins + blockIdx.x * static_cast<long long>(call.blocks) * kBins;
  for (int k = threadIdx.x; k < call.blocks; k += kThreads) {
#pragma unroll
    for (int j = 0; j < kBins; ++j) {
      bins.count[j] += parts[k * kBins + j].count;
      bins.sum[j] += parts[k * kBins + j].sum;
    }
  }
  add_digit<S>(goal, join_bins<kThreads, Ball<S>::sums>(bins), t);
  if (threadIdx.x == 0) call.thresholds[blockIdx.x] = t;
}

template <class S>
__global__ void __launch_bounds__(kThreads) write_kernel(const ProjectCall __grid_constant__ call) {
  const BlockOfRow at(call);
  write_each<kThreads>(Ball<S>(call), at.stretch<S>(call), call.thresholds[at.row]);
}

}  // namespace proxstep::cuda
