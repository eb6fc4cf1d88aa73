// Where selections end: a block each finds the next digit of the least score that stays.
#pragma once
#include "../op/project.hpp"
#include "project_team.cuh"
#include "select_tables.hpp"

namespace proxstep::cuda {

template <class C>
__global__ void __launch_bounds__(kThreads) start_kernel(const StartCall __grid_constant__ call) {
  const int k = static_cast<int>(blockIdx.x);
  unsigned long long* const bins = call.bins + k * static_cast<long long>(kWideBins);
  for (int b = threadIdx.x; b < kWideBins; b += kThreads) bins[b] = 0;
  if (threadIdx.x > 0) return;
  const long long keep = call.keep[k], n = call.elements[k];
  Cut cut = {0, keep, n, call.first_block[k], call.moves, keep <= 0 || keep >= n};
  if (cut.done) cut.rank = cut.count = 0;              // no ties to look for
  if (keep <= 0) cut.key = op::Bits<C>::infinity + 2;  // above all
  call.cuts[k] = cut;
}

// Rates in the device's memory tell whether anything moves.
template <class Unused>
__global__ void moves_kernel(const MovesCall __grid_constant__ call) {
  for (int k = threadIdx.x; k < call.count; k += kThreads) {
    if (*call.rates[k] != 0.0) atomicOr(&call.cuts[call.selections[k]].moves, 1);
  }
}

// A thread's bins, from the highest down.
constexpr int kOwnBins = kWideBins / kThreads;
struct OwnBins {
  int highest;
  long long counts[kOwnBins], sum;
};

// And leaves them empty for the next pass.
__device__ inline OwnBins take_bins(unsigned long long* bins) {
  OwnBins own = {kWideBins - 1 - static_cast<int>(threadIdx.x) * kOwnBins, {}, 0};
#pragma unroll
  for (int j = 0; j < kOwnBins; ++j) {
    own.counts[j] = static_cast<long long>(bins[own.highest - j]);
    bins[own.highest - j] = 0;
    own.sum += own.counts[j];
  }
  return own;
}

template <class C>
__global__ void __launch_bounds__(kThreads) cut_kernel(const CutCall __grid_constant__ call) {
  Cut cut = call.cuts[blockIdx.x];
  if (cut.done) return;
  const OwnBins own = take_bins(call.bins + blockIdx.x * static_cast<long long>(kWideBins));
  long long rank = cut.rank - team_place<kThreads>(own.sum).before;
  if (rank <= 0 || rank > own.sum) return;  // one thread has the bin
  const int shift = digit_of<C>(call.pass).shift;
  bool found = false;
#pragma unroll
  for (int j = 0; j < kOwnBins; ++j) {
    if (found) continue;
    found = rank <= own.counts[j];
    if (!found) {
      rank -= own.counts[j];
      continue;
    }
    cut.key |= static_cast<unsigned long long>(own.highest - j) << shift;
    cut.rank = rank;
    cut.count = own.counts[j];
  }
  cut.done = shift == 0 || cut.rank == cut.count;
  call.cuts[blockIdx.x] = cut;
}

}  // namespace proxstep::cuda
