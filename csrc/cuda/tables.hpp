// What kernels are handed by value: nothing is copied to the device beforehand. Plain structs, for
// the host and for kernels alike; C is the compute type.
#pragma once
#include "../op/rounding.hpp"
#include "any.hpp"
#include "layout.hpp"

namespace proxstep::cuda {

constexpr int kWarp = 32;      // threads
constexpr int kThreads = 256;  // of a block
constexpr int kWarps = kThreads / kWarp;
constexpr int kResident = 2;  // blocks that share a multiprocessor: up to 128 registers, no spill
constexpr int kPacksPerThread = 4;
constexpr int kMostBytes = 32764;     // that a kernel takes by value, from CUDA 12.1 on
constexpr int kFew = 4, kMany = 480;  // arrays: a small table makes a small launch
constexpr int kManyRuled = 360;       // where the rule is chosen at run time
constexpr int kNormArrays = 1024;
constexpr int kMostSettings = 16;

// How many elements a thread takes at once: 16 bytes of them.
template <class S>
constexpr int kPack = 16 / sizeof(S);
// The same where the rule is chosen at run time: what registers have room for.
template <class S>
constexpr int kRulePack = sizeof(S) == 8 ? 1 : 4;
// How many of one array a block takes: a power of two.
template <class S>
constexpr long long kChunk = static_cast<long long>(kThreads) * kPack<S> * kPacksPerThread;
template <class S>
constexpr long long kRuleChunk = static_cast<long long>(kThreads) * kRulePack<S> * kPacksPerThread;

// The last k with first[k] <= block. Arrays without elements have no blocks.
PROXSTEP_FN int array_of_block(const int* first, int count, int block) {
  int low = 0, high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (first[middle] <= block ? low : high) = middle;
  }
  return low;
}

// What several arrays share.
template <class C>
struct StepSettings {
  AnyRule<C> rule;
  AnyPenalty<C> penalty;
  C step;  // of the prox, where it is not the rule's
  bool own_step;
  bool directed;  // gradients are directions, which have no scale
};

// The same where the rule is chosen at run time, with what a mixed layout needs.
template <class C>
struct RuleSettings {
  StepSettings<C> step;
  int rule, writes;            // writes: the first moments, by so many
  bool reads_x, steps_differ;  // between elements
  bool narrow[op::kMaxSlots];  // moments in bfloat16
  bool stochastic;             // x is rounded so
  op::RandomStream random;     // but for the array
  const long long* steps;      // in the device's memory, instead of random's own: one less; or null
};

template <class C>
PROXSTEP_FN const StepSettings<C>& step_of(const StepSettings<C>& settings) {
  return settings;
}
template <class C>
PROXSTEP_FN const StepSettings<C>& step_of(const RuleSettings<C>& settings) {
  return settings.step;
}

template <class C>
struct StepArray {
  void* x;
  const void* g;
  C* m[op::kMaxSlots];
  const C* weights;  // null: all are 1
  long long n;
  int settings;
};

// The same where the rule is chosen at run time.
template <class C>
struct RuleArray : StepArray<C> {
  void* copy;                 // of a master, or null
  unsigned long long number;  // which array of its random stream this is
};

// What a block found of its elements.
template <class C>
struct BlockSums {
  C penalty, squared_change;
  long long nonzeros, not_finite;  // a group of a block may be long
};

// The arrays of one launch. The blocks of array k = 0..count - 1 begin at first_block[k].
template <class TheC, class TheArray, class TheSettings, class TheSum, int the_capacity>
struct Table {
  using C = TheC;
  using Array = TheArray;
  using Settings = TheSettings;
  using Sum = TheSum;
  static constexpr int capacity = the_capacity;
  int count;
  C grad_scale;
  const C* device_scale;            // instead of grad_scale, or null
  const StepSettings<C>* computed;  // instead of the settings' own, or null
  BlockSums<Sum>* sums;             // one a block, or null
  Array arrays[capacity];
  int first_block[capacity + 1];
  Settings settings[kMostSettings];
};
template <class C, int capacity>
using StepTable = Table<C, StepArray<C>, StepSettings<C>, C, capacity>;
template <class C, int capacity>
using MixedTable = Table<C, RuleArray<C>, RuleSettings<C>, C, capacity>;

template <class C>
struct ValueCall {
  const void* x;
  const C* weights;  // or null
  long long n;
  AnyPenalty<C> penalty;
  BlockSums<C>* sums;
};

struct DeviceStatistics {
  double penalty, squared_change;
  long long nonzeros, not_finite;
};
template <class C>
struct SumCall {
  const BlockSums<C>* parts;
  int count;
  bool fresh;            // nothing was added yet
  DeviceStatistics* to;  // added to
};

struct NormTable {
  int count;
  double* sums;  // one a block
  const void* x[kNormArrays];
  long long n[kNormArrays];
  int first_block[kNormArrays + 1];
};

// scale: what gradients are multiplied with so that their norm is at most max_norm.
struct Clipping {
  double norm, scale;
  float narrow_scale;
};
struct ClipCall {
  const double* sums;
  int count;
  double grad_scale, max_norm;  // max_norm <= 0: no clipping
  Clipping* to;
};

// Rules whose learning rate and step count lie in the device's memory.
template <class C>
struct SettingsCall {
  int count;
  int rules[kMostSettings];
  const long long* steps;              // taken before this one
  const double* rates[kMostSettings];  // the learning rate of settings k
  bool euclidean[kMostSettings];
  double numbers[kMostSettings][op::kMaxConstants];  // of the rules, as the user gave them
  AnyPenalty<C> penalties[kMostSettings];
  StepSettings<C>* to;
};
struct AdvanceCall {
  long long* steps;
};

}  // namespace proxstep::cuda
