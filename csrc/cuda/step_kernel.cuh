// The step as a kernel: many arrays in one launch, one kernel for each rule and storage type, a
// uniform switch on the penalty. nvcc, NVRTC and the tests' emulation on the host compile it: no
// CUDA header, no launch.
#pragma once
#include "../op/step.hpp"
#include "share.cuh"
#include "statistics.cuh"

namespace proxstep::cuda {

// A prox alone writes x without reading it.
template <class Rule>
constexpr bool reads_x = true;
template <class C>
constexpr bool reads_x<Given<C>> = false;
template <class C>
constexpr bool reads_x<GivenEach<C>> = false;

template <class S, class Rule>
__device__ bool is_aligned(const StepArray<op::compute_t<S>>& a) {
  bool aligned = is_aligned(a.x) && is_aligned(a.g) && is_aligned(a.weights);
  for (int k = 0; k < Rule::slots; ++k) aligned = aligned && is_aligned(a.m[k]);
  return aligned;
}

// What all packs of a block share. The rule is a copy: it stays in registers, where a reference
// would be read again after every store.
template <class C, class Rule>
struct StepBlock {
  const StepArray<C>& array;
  const StepSettings<C>& settings;
  Rule rule;
  C grad_scale;
  bool aligned, counts;
};

// Elements i..i + count - 1, count <= kPack<S>. The penalty is chosen between rule and store, so
// that their code is a sum and not a product.
template <class S, class Rule, class C>
__device__ void step_pack(const StepBlock<C, Rule>& block, long long i, int count,
                          BlockSums<C>& sums) {
  constexpr int n = kPack<S>;
  const StepArray<C>& a = block.array;
  const StepSettings<C>& settings = block.settings;
  const bool whole = block.aligned && count == n;
  S* const to = static_cast<S*>(a.x) + i;
  Pack<S, n> x = {}, g;
  Pack<C, n> m[op::kMaxSlots] = {}, weights;
  if (reads_x<Rule>) load(x, to, count, whole);
  load(g, static_cast<const S*>(a.g) + i, count, whole);
#pragma unroll
  for (int k = 0; k < Rule::slots; ++k) load(m[k], a.m[k] + i, count, whole);
#pragma unroll
  for (int j = 0; j < n; ++j) weights.at[j] = C(1);
  if (a.weights) load(weights, a.weights + i, count, whole);
  const Pack<S, n> before = x;
  const op::StepArrays<S> own{x.at, g.at, {m[0].at, m[1].at}};
  op::Point<C> at[n];
#pragma unroll
  for (int j = 0; j < n; ++j) {
    at[j] = op::step_point(own, j, block.grad_scale, block.rule);
    if (!settings.own_step) at[j].s = settings.step;
  }
  with_penalty(settings.penalty, [&](const auto& penalty) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      at[j].z = op::weighted_prox(penalty, at[j].z, at[j].s, weights.at[j]);
    }
  });
#pragma unroll
  for (int j = 0; j < n; ++j) op::step_store(own, j, at[j].z, block.rule);
  if (block.counts) add_sums(settings.penalty, Change<S, n>{before, x, weights}, {0, count}, sums);
  store(x, to, count, whole);
#pragma unroll
  for (int k = 0; k < Rule::slots; ++k) {
    if (k < Rule::stored || (k == 0 && Rule::extrapolates)) store(m[k], a.m[k] + i, count, whole);
  }
}

template <class S, int rule, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    step_kernel(const StepTable<op::compute_t<S>, capacity> __grid_constant__ table) {
  using C = op::compute_t<S>;
  using Rule = RuleAt<rule, C>;
  const auto share = share_of(table);
  const long long begin = share.block * kChunk<S>;
  const long long end = op::least(begin + kChunk<S>, share.array.n);
  const StepBlock<C, Rule> own{share.array,
                               share.step,
                               *reinterpret_cast<const Rule*>(share.step.rule.held),
                               share.grad_scale,
                               is_aligned<S, Rule>(share.array),
                               table.sums != nullptr};
  BlockSums<C> sums = {};
  for (long long i = begin + threadIdx.x * kPack<S>; i < end; i += kThreads * kPack<S>) {
    const int count = static_cast<int>(op::least<long long>(kPack<S>, end - i));
    step_pack<S>(own, i, count, sums);
  }
  if (table.sums) store_block_sums(sums, table.sums + blockIdx.x);
}

}  // namespace proxstep::cuda
