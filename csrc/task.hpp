// What one step or prox of one array is asked to do, checked, for any device.
#pragma once
#include <cstdint>

#include "array.hpp"
#include "op/prox.hpp"
#include "op/rounding.hpp"
#include "op/update.hpp"

namespace proxstep {

struct ElementPenalty {
  int kind = 0;  // index in op::Penalties; 0 is none
  double settings[op::kMaxSettings] = {};
  const void* weights = nullptr;  // in the compute type, or null
};

enum class Over { nothing, segments, columns };

struct GroupPenalty {
  Over over = Over::nothing;
  int kind = 0;
  double settings[op::kMaxSettings] = {};
  const void* weights = nullptr;          // one per group, in the compute type, or null
  std::int64_t count = 0;                 // groups
  std::int64_t length = 0;                // of a segment, where all are equal
  const std::int64_t* offsets = nullptr;  // count + 1 of them, where they are not
};

// At most n nonzeros in every block of m consecutive elements; m divides how many there are.
struct NM {
  int n = 0, m = 0;
  bool given() const { return m > 0; }
};

// What a selection over many arrays keeps of one: the elements whose score is larger than the key,
// and of those that have just this score the ones before the element ties_end.
struct Kept {
  long long key = -1;
  std::int64_t ties_end = 0;
  bool given() const { return key >= 0; }
};

// Levels that elements are drawn to: multiples of one scale per group. The groups are equal and
// lie one behind the other, as `groups` says; the last may be shorter.
constexpr int kMostLevels = 256;
struct Levels {
  enum class Scale { none, largest, mean, given };
  Scale scale = Scale::none;
  double rho = 1.0;             // inverse slope between levels; NaN: not known yet
  double most = 0.0;            // the levels are -most, -most + 1, ..., most
  double per_scale = 1.0;       // of which so many make up the scale,
  const void* table = nullptr;  // or count increasing multiples of it, in the compute type
  int count = 0;
  double multiple = 0.0;         // of the mean
  const void* scales = nullptr;  // where given, in the compute type: one per group,
  bool shared = false;           // or one for all
  bool given() const { return scale != Scale::none; }
};

constexpr int kNoRule = -1;
constexpr int kNoSelection = -1;

// What a rule does this time, the same for all arrays that share it.
struct RuleStep {
  int rule = kNoRule;
  bool extrapolates = false;
  bool rule_steps = false;  // the prox takes the rule's step of each element
  bool euclidean = false;   // the rule has one, and the prox takes the learning rate
  bool directed = false;    // g is a direction, no gradient: not scaled, and no part of their norm
  double step = 1.0;        // the prox's step where it is one number
  double constants[op::kMaxConstants] = {};
};

// Where 16 bits hold what is computed in float32.
struct Narrowing {
  bool moments[op::kMaxSlots] = {};  // those the rule stores: bfloat16, rounded stochastically
  bool stochastic = false;           // x is rounded so as well
  DType copy_dtype = DType::other;
  void* copy = nullptr;  // x is a master: where its 16-bit copy goes, or null
  op::RandomStream random;
};

// One array. With a rule: x steps in place. Without: x becomes the prox of source.
struct Task : RuleStep {
  DType dtype = DType::float32;
  DType g_dtype = DType::float32;  // of a copy where x is a master, else as x
  std::int64_t n = 0;
  const void* source = nullptr;
  void* x = nullptr;
  const void* g = nullptr;
  void* m[op::kMaxSlots] = {};
  const void* steps = nullptr;  // prox only: a step per element
  ElementPenalty element;
  GroupPenalty groups;
  NM nm;
  Narrowing narrowing;
  int selection = kNoSelection;    // which of the call's the array takes part in
  Kept kept;                       // what came out of it
  bool stepped = false;            // all is done but to drop what is not kept
  unsigned char* marks = nullptr;  // what to drop, where the processor has marked it
  Levels levels;
};

struct Statistics {
  double penalty = 0.0;
  double squared_change = 0.0;
  std::int64_t nonzeros = 0;
  std::int64_t not_finite = 0;
};

}  // namespace proxstep
