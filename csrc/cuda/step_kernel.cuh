// The step as a kernel: many arrays in one launch, one kernel for each rule and storage type, a
// uniform switch on the penalty. nvcc, NVRTC and the tests' emulation on the host compile it: no
// CUDA header, no launch.
#pragma once
#include "../op/step.hpp"

namespace proxstep::cuda {

constexpr int kThreads = 256;
constexpr int kResident = 2;  // blocks that share a multiprocessor: up to 128 registers, no spill
constexpr int kPacksPerThread = 4;
constexpr int kMostGroups = 16;

// How many elements a thread takes at once: 16 bytes of parameters.
template <class S>
constexpr int kPack = 16 / sizeof(S);
// Of one array, to one block.
template <class S>
constexpr long long kChunk = static_cast<long long>(kThreads) * kPack<S> * kPacksPerThread;

// One penalty of the registry, as bytes that a kernel takes by value. Penalties and rules are built
// on the host, so that a float kernel holds no double arithmetic.
template <class C>
struct AnyPenalty {
  int index;
  alignas(C) unsigned char bytes[op::kMaxSettings * sizeof(C)];
};

// Calls run(penalty) with the penalty that was packed.
template <class C, class Run, template <class> class... Ps>
__device__ void with_penalty(op::List<Ps...>, const AnyPenalty<C>& any, const Run& run) {
  int k = 0;
  ((k++ == any.index ? run(*reinterpret_cast<const Ps<C>*>(any.bytes)) : void()), ...);
}

// Everything of a launch, handed over by value: nothing is copied to the device beforehand.
// Arrays k = 0..count - 1; its blocks begin at first_block[k].
template <class S, class Rule, int capacity>
struct StepTable {
  using C = op::compute_t<S>;
  C grad_scale;
  int count;
  op::StepArrays<S> arrays[capacity];
  long long n[capacity];
  int first_block[capacity + 1];
  unsigned char group[capacity];  // of rule and penalty
  alignas(Rule) unsigned char rules[kMostGroups][sizeof(Rule)];
  AnyPenalty<C> penalties[kMostGroups];
};
constexpr int kMostBytes = 32764;  // that a kernel takes by value, from CUDA 12.1 on

// The last k with first[k] <= block. Arrays without elements have no blocks.
__device__ inline int array_of_block(const int* first, int count, int block) {
  int low = 0, high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (first[middle] <= block ? low : high) = middle;
  }
  return low;
}

// Up to 16 bytes an instruction; element by element at an end or where memory is not aligned.
template <class T, int n>
struct alignas(sizeof(T) * n < 16 ? sizeof(T) * n : 16) Pack {
  T at[n];
};
template <class T, int n>
__device__ void load(Pack<T, n>& to, const T* from, int count, bool whole) {
  if (whole) {
    to = *reinterpret_cast<const Pack<T, n>*>(from);
  } else {
#pragma unroll
    for (int j = 0; j < n; ++j) to.at[j] = j < count ? from[j] : T{};
  }
}
template <class T, int n>
__device__ void store(const Pack<T, n>& from, T* to, int count, bool whole) {
  if (whole) {
    *reinterpret_cast<Pack<T, n>*>(to) = from;
  } else {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      if (j < count) to[j] = from.at[j];
    }
  }
}

template <class S>
__device__ bool is_aligned(const op::StepArrays<S>& a) {
  const auto address = [](const void* p) { return reinterpret_cast<unsigned long long>(p); };
  return ((address(a.x) | address(a.g) | address(a.m[0]) | address(a.m[1])) & 15u) == 0;
}

// Elements i..i + count - 1 of one array, count <= kPack<S>. The penalty is chosen between rule and
// store, so that their code is a sum and not a product.
template <class S, class Rule>
__device__ void step_pack(const op::StepArrays<S>& a, long long i, int count, bool aligned,
                          op::compute_t<S> grad_scale, const Rule& rule,
                          const AnyPenalty<op::compute_t<S>>& any) {
  using C = op::compute_t<S>;
  constexpr int n = kPack<S>;
  const bool whole = aligned && count == n;
  Pack<S, n> x, g;
  Pack<C, n> m[op::kMaxSlots] = {};
  load(x, a.x + i, count, whole);
  load(g, a.g + i, count, whole);
#pragma unroll
  for (int k = 0; k < Rule::slots; ++k) load(m[k], a.m[k] + i, count, whole);
  const op::StepArrays<S> own{x.at, g.at, {m[0].at, m[1].at}};
  op::Point<C> at[n];
#pragma unroll
  for (int j = 0; j < n; ++j) at[j] = op::step_point(own, j, grad_scale, rule);
  with_penalty(op::Penalties{}, any, [&](const auto& penalty) {
#pragma unroll
    for (int j = 0; j < n; ++j) at[j].z = penalty.prox(at[j].z, at[j].s);
  });
#pragma unroll
  for (int j = 0; j < n; ++j) op::step_store(own, j, at[j].z, rule);
  store(x, a.x + i, count, whole);
#pragma unroll
  for (int k = 0; k < Rule::slots; ++k) {
    if (k < Rule::stored || (k == 0 && Rule::extrapolates)) store(m[k], a.m[k] + i, count, whole);
  }
}

template <class S, class Rule, int capacity>
__global__ void __launch_bounds__(kThreads, kResident)
    step_kernel(const __grid_constant__ StepTable<S, Rule, capacity> table) {
  static_assert(sizeof table <= kMostBytes, "a smaller capacity is needed");
  const int block = static_cast<int>(blockIdx.x);
  const int k = array_of_block(table.first_block, table.count, block);
  const op::StepArrays<S>& arrays = table.arrays[k];
  const long long begin = (block - table.first_block[k]) * kChunk<S>;
  const long long end = op::least(begin + kChunk<S>, table.n[k]);
  const bool aligned = is_aligned(arrays);
  const int group = table.group[k];
  const Rule rule = *reinterpret_cast<const Rule*>(table.rules[group]);
  for (long long i = begin + threadIdx.x * kPack<S>; i < end; i += kThreads * kPack<S>) {
    const int count = static_cast<int>(op::least<long long>(kPack<S>, end - i));
    step_pack(arrays, i, count, aligned, table.grad_scale, rule, table.penalties[group]);
  }
}

}  // namespace proxstep::cuda
