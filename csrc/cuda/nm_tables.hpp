// What the kernels of N:M sparsity are handed by value, beside tables.hpp.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

struct BlockNM {
  int n, m;  // at most n nonzeros in every m elements
};

template <class C>
struct NMSettings : RuleSettings<C> {
  BlockNM nm;
};

template <class C, int capacity>
using NMTable = Table<C, RuleArray<C>, NMSettings<C>, C, capacity>;

template <class C>
struct NMValueCall {
  const void* x;
  long long n;
  BlockNM nm;
  BlockSums<C>* sums;
};

}  // namespace proxstep::cuda
