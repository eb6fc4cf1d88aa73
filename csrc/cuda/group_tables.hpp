// What the kernels of group penalties are handed by value, beside tables.hpp.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

constexpr int kManyGrouped = 200;  // arrays

// What several arrays with groups share.
template <class C>
struct GroupSettings : RuleSettings<C> {
  AnyPenalty<C> norm;
  AnyPenalty<double> wide_norm;  // the same, for roots and values
  bool convex;
};

// How an array falls into groups and how threads share them. Element j of a group lies at its
// begin + j * stride; a group is a segment (stride 1) or a column (stride count).
template <class C>
struct Groups {
  const C* weights;          // one a group, or null: all are 1
  const long long* offsets;  // count + 1 of them, or null: all segments are of one length
  long long count, length;
  bool columns;
  int lanes;  // that share a group: a power of two up to a warp, or the whole block
};

template <class C>
struct GroupArray : RuleArray<C> {
  Groups<C> groups;
};

template <class C, int capacity>
using GroupTable = Table<C, GroupArray<C>, GroupSettings<C>, double, capacity>;

template <class C>
struct GroupValueCall {
  const void* x;
  const C* weights;  // of the elements, or null
  Groups<C> groups;
  AnyPenalty<C> penalty;
  AnyPenalty<double> norm;
  BlockSums<double>* sums;
};

}  // namespace proxstep::cuda
