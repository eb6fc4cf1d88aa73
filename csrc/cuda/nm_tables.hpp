// What the kernels of N:M sparsity are handed by value, beside tables.hpp.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

// How many elements of one array a block of threads takes.
template <class S>
constexpr long long kChunkNM = static_cast<long long>(kThreads) * kRulePack<S> * kPacksPerThread;

struct BlockNM {
  int n, m;  // at most n nonzeros in every m elements
};

template <class C>
struct NMSettings : RuleSettings<C> {
  BlockNM nm;
};

// The blocks of array k = 0..count - 1 begin at first_block[k].
template <class C, int capacity>
struct NMTable {
  int count;
  C grad_scale;
  const C* device_scale;            // instead of grad_scale, or null
  const StepSettings<C>* computed;  // instead of the settings' own, or null
  BlockSums<C>* sums;               // one a block, or null
  StepArray<C> arrays[capacity];
  int first_block[capacity + 1];
  NMSettings<C> settings[kMostSettings];
};

template <class C>
struct NMValueCall {
  const void* x;
  long long n;
  BlockNM nm;
  BlockSums<C>* sums;
};

}  // namespace proxstep::cuda
