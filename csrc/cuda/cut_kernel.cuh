// Where selections end: a block each finds the next digit of the least score that stays.
#pragma once
#include "../op/project.hpp"
#include "project_team.cuh"
#include "select_tables.hpp"

namespace proxstep::cuda {

// Of n scores, nothing is known but how many stay.
template <class C>
__device__ inline void begin(Cut& cut, long long keep, long long n) {
  cut.done = keep <= 0 || keep >= n;
  cut.key = keep <= 0 ? op::Bits<C>::infinity + 2 : 0;  // above all
  cut.rank = cut.done ? 0 : keep;                       // no ties to look for
  cut.count = cut.done ? 0 : n;
}

template <class C>
__global__ void __launch_bounds__(kThreads) start_kernel(const StartCall __grid_constant__ call) {
  const int k = static_cast<int>(blockIdx.x);
  unsigned long long* const bins = call.bins + k * static_cast<long long>(kWideBins);
  for (int b = threadIdx.x; b < kWideBins; b += kThreads) bins[b] = 0;
  if (threadIdx.x > 0) return;
  Cut cut = {};
  begin<C>(cut, call.keep[k], call.elements[k]);
  cut.first_block = call.first_block[k];
  cut.moves = call.moves;
  call.cuts[k] = cut;
}

template <class C>
__device__ __forceinline__ bool is_at_rest(const double* rate) {
  return C(*rate) == C(0);
}

// Rates in the device's memory tell whether anything moves, and how much: what is at rest beside
// it takes no part. A thread looks at all rates of a selection.
template <class C>
__global__ void __launch_bounds__(kThreads) moves_kernel(const MovesCall __grid_constant__ call) {
  for (int first = threadIdx.x; first < call.count; first += kThreads) {
    const int selection = call.selections[first];
    if (first > 0 && call.selections[first - 1] == selection) continue;
    Cut cut = call.cuts[selection];
    for (int k = first; k < call.count && call.selections[k] == selection; ++k) {
      if (is_at_rest<C>(call.rates[k])) continue;
      cut.moves = true;
      cut.moving += call.elements[k];
    }
    if (!cut.moves) continue;
    const double density = call.densities[first];
    const bool counts = density != density;
    begin<C>(cut, counts ? call.keep[first] : op::share_of_elements(density, cut.moving),
             cut.moving);
    call.cuts[selection] = cut;
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
