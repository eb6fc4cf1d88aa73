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

template <class C, int capacity>
using NMTable = Table<C, StepArray<C>, NMSettings<C>, C, capacity>;

template <class C>
struct NMValueCall {
  const void* x;
  long long n;
  BlockNM nm;
  BlockSums<C>* sums;
};

}  // namespace proxstep::cuda
