// What the kernels of quantising are handed by value, beside tables.hpp.
#pragma once
#include "../op/quantize.hpp"
#include "group_tables.hpp"

namespace proxstep::cuda {

constexpr int kManyQuantized = 180;  // arrays

constexpr long long kMostPieces = 1024;  // of a group: every block reads what all have found

// What arrays that are drawn to the same levels share.
template <class C>
struct LevelSettings : RuleSettings<C> {
  op::IntegerLevels<C> integers;
  const C* table;  // or these: count increasing multiples of the scale
  int count;
  bool mean;        // the scale is the least of the largest size and
  double multiple;  // so many times the mean
  C rho;
  double wide_rho;
  bool stays;  // x is left as it is, for its value alone
};

// What a block has found of |z| of its piece: the bits of the largest, and the sum.
struct PieceSizes {
  unsigned long long largest;
  double sum;
};

// An array's groups are equal and lie one behind the other; the last may be shorter. What a team
// takes, and is counted here, is a group or, where blocks share one, a piece of it.
template <class C>
struct LevelGroups : Groups<C> {
  long long pieces, piece;  // of a group; elements of each, but for the last
  const C* scales;          // where they are given: one a group,
  bool shared;              // or one for all
  PieceSizes* sizes;        // of each piece, where a group has several
};

template <class C>
struct LevelArray : RuleArray<C> {
  LevelGroups<C> groups;
};

template <class C, int capacity>
using LevelTable = Table<C, LevelArray<C>, LevelSettings<C>, double, capacity>;

}  // namespace proxstep::cuda
