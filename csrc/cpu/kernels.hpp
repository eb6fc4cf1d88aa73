// The table of loops that every instruction set fills in, and how one is chosen.
// Plain pointers and numbers only: this header is compiled with every set of flags.
#pragma once
#include <cstdint>

#include "../op/nm.hpp"
#include "../op/step.hpp"
#include "../task.hpp"

namespace proxstep::cpu {

constexpr int kTile = 512;  // elements whose point, step and prox stay in the L1 cache
constexpr int kLanes = 16;  // partial sums; fixed, so that sums do not depend on the vector width
// Rows of kLanes elements of a group whose terms are added up in the compute type before they go to
// double: few enough that this is as good as a sum in double of terms that were rounded.
constexpr int kLaneRows = 4;
static_assert(kTile % (kLaneRows * kLanes) == 0, "a tile ends no row early");

// Writes z, and s where it is asked for and differs between elements. z may be x.
// m: in the compute type, or where narrow those that the rule stores in bfloat16.
template <class C>
struct RuleTile {
  std::int64_t n;
  const C* x;
  const C* g;
  C grad_scale;
  void* m[op::kMaxSlots];
  C* z;
  C* s;
  const double* constants;
  std::int64_t ahead;  // which elements to ask for already: so many after these; 0: none
  bool narrow;
  op::RandomKey key;   // of the bits that round narrow moments
  unsigned int index;  // of the first element among them
};

// z becomes its prox. steps and weights may be null.
template <class C>
struct ProxTile {
  std::int64_t n;
  C* z;
  C step;
  const C* steps;
  const C* weights;
  const double* settings;
};

// Of whole blocks, count <= kTile, the elements that do not stay become 0. steps: their own, or
// null.
template <class C>
struct NMTile {
  std::int64_t count;
  C* z;
  const C* steps;
  NM nm;
};

// Scores of nm.hpp. steps: the elements' own, or null.
template <class C>
struct ScoreTile {
  std::int64_t n;
  const C* z;
  const C* steps;
  op::Score<C>* scores;
};

// Elements whose score is below the least become 0. steps as above.
template <class C>
struct KeepTile {
  std::int64_t n;
  C* z;
  const C* steps;
  op::Score<C> least;
};

// How many scores lie above a window, on its ends and inside it; on its low end only where the two
// ends differ.
struct WindowCounts {
  std::int64_t above = 0, at_high = 0, inside = 0, at_low = 0;
};

// Of a tile: bit r of mark c is that of element r * kMarks + c.
constexpr int kMarks = 64;

// Adds to the counts, and writes the scores inside and their places, in any order; there is room
// for n + 1. marks: null, or those of a tile, for elements that are not above the low end.
template <class C>
struct WindowTile {
  std::int64_t n;
  const C* z;
  const C* steps;
  op::Score<C> low, high;
  op::Score<C>* inside;
  int* places;
  unsigned char* marks;
  WindowCounts* counts;
};

// The steps of a rule whose moments have moved already.
template <class C>
struct StepsTile {
  std::int64_t n;
  const C* m[op::kMaxSlots];
  const double* constants;
  C* s;
};

// What the factor of a group depends on, added up in lanes: of z^2 and z^2 s, and its steps.
template <class C>
struct GroupLanes {
  double squares[kLanes], moments[kLanes];
  C shortest[kLanes], longest[kLanes];
};

// Elements of one group, added to its lanes. steps: their own, or null.
template <class C>
struct GatherTile {
  std::int64_t n;
  const C* z;
  const C* steps;
  bool first;  // nothing was added yet
  GroupLanes<C>* to;
};

// Consecutive groups in z: group k spans offsets[k]..offsets[k + 1], or length elements where
// offsets is null. steps and weights (one per group) may be null.
template <class C>
struct SegmentTile {
  std::int64_t groups;
  std::int64_t length;
  const std::int64_t* offsets;
  C* z;
  C step;
  const C* steps;
  const C* weights;
  const double* settings;
  const GroupLanes<C>* gathered;  // of the one group, or null
};

// What scales a group: its root of op/group.hpp and its longest step where the elements have steps
// of their own, else what to multiply by.
template <class C>
struct GroupFactor {
  C value, longest;
};

// The same sums of columns, one for each.
template <class C>
struct ColumnSums {
  double *squares, *moments;
  C *shortest, *longest;
};

// n columns: rows of z and of the steps, each with its distance from one to the next.
template <class C>
struct ColumnRows {
  std::int64_t n, rows;
  C* z;
  std::int64_t z_stride;
  const C* s;
  std::int64_t s_stride;
  ColumnSums<C> sums;
};

// Whole columns, whose sums are complete: their roots of op/group.hpp.
template <class C>
struct RootTile {
  static constexpr int kPacked = 64 / sizeof(C);  // columns that share a cache line
  // An odd number of cache lines: the columns do not compete for the same places of a cache.
  static constexpr std::int64_t packed_length(std::int64_t rows) {
    return ((rows + kPacked - 1) / kPacked | 1) * kPacked;
  }

  ColumnRows<C> columns;
  const C* weights;  // or null
  const double* settings;
  C* packed;  // room for kPacked columns and as many of steps, each of packed_length
  C* roots;
};

// n elements in groups of length, the last perhaps shorter, and a scale for each group.
template <class C>
struct LevelsTile {
  std::int64_t n;
  std::int64_t length;
  C* z;
  const C* scales;
  const Levels& levels;
};

// Groups of which only the norms are known: each becomes its group's factor.
template <class C>
struct ScaleTile {
  std::int64_t groups;
  double* norms;
  C step;
  const C* weights;
  const double* settings;
};

template <class C>
struct StatisticsTile {
  std::int64_t n;
  const C* before;  // null: no change wanted
  const C* after;
  const C* weights;
  const double* settings;
  Statistics* sums;  // added to
};

// A whole loop for the pairs that are used most: rule, prox and store without scratch.
template <class C>
struct DirectRun {
  std::int64_t n;
  C* x;
  const C* g;
  C grad_scale;
  C* m[op::kMaxSlots];
  const double* constants;
  const double* settings;
  std::int64_t ahead;
  bool euclidean;
};

// The same with moments in bfloat16. Element 0 is that of the index in the stream of random bits.
struct NarrowRun {
  std::int64_t n;
  op::NarrowArrays arrays;
  float grad_scale;
  const double* constants;
  const double* settings;
  std::int64_t ahead;
  op::RandomKey key;
  unsigned int index;
};

template <class C>
struct Kernels {
  void (*rule[op::Rules::size])(const RuleTile<C>&);
  void (*point[op::Rules::size])(const RuleTile<C>&);  // the moments stay; z is not x
  void (*extrapolate)(std::int64_t n, const C* x_old, const C* x_new, C* y,
                      const double* constants);
  void (*prox[op::Penalties::size])(const ProxTile<C>&);
  void (*nm)(const NMTile<C>&);
  double (*nm_value)(std::int64_t count, const C* x, NM nm);
  void (*steps[op::Rules::size])(const StepsTile<C>&);  // of rules that have one per element
  void (*scores)(const ScoreTile<C>&);
  void (*keep)(const KeepTile<C>&);
  double (*kept_value)(std::int64_t n, const C* x);  // 0, or NaN where x has one
  void (*window)(const WindowTile<C>&);
  void (*drop)(std::int64_t n, C* z, const unsigned char* marks);  // a tile's, by its marks
  void (*level_scales)(const LevelsTile<C>&, C* scales);           // from the elements
  void (*quantize)(const LevelsTile<C>&);
  double (*levels_value)(const LevelsTile<C>&, const C* nearest);  // h(z)
  void (*gather)(const GatherTile<C>&);
  void (*segments[op::Penalties::size])(const SegmentTile<C>&);
  GroupFactor<C> (*factor[op::Penalties::size])(const SegmentTile<C>&);    // of the one group
  void (*scale)(std::int64_t n, C* z, const C* steps, GroupFactor<C> by);  // a part of a group
  void (*scales[op::Penalties::size])(const ScaleTile<C>&);
  void (*statistics[op::Penalties::size])(const StatisticsTile<C>&);
  void (*direct[op::Rules::size][op::Penalties::size])(const DirectRun<C>&);  // null: use tiles
  double (*group_value[op::Penalties::size])(double norm, double weight, const double* settings);
  double (*sum_of_squares)(std::int64_t n, const C* x);
  double (*group_norm)(std::int64_t n, const C* x, double root);  // of the sum of its squares
  void (*add_columns)(const ColumnRows<C>&);  // some rows of them, to their sums
  void (*roots[op::Penalties::size])(const RootTile<C>&);
  void (*keep_shares)(const ColumnRows<C>&, const C* roots);      // of some rows
  void (*add_squares)(std::int64_t n, const C* x, double* sums);  // each to a sum of its own
  void (*multiply)(std::int64_t n, C* x, const double* factors);  // 0 gives exact zeros
};

struct StepTable {
  const char* isa;
  Kernels<float> f32;
  Kernels<double> f64;
  void (*load_bfloat16)(std::int64_t n, const op::bfloat16* from, float* to);
  void (*load_float16)(std::int64_t n, const op::float16* from, float* to);
  void (*pack_bfloat16)(std::int64_t n, const float* from, op::bfloat16* to);
  void (*pack_float16)(std::int64_t n, const float* from, op::float16* to);
  void (*random_bits)(std::int64_t n, op::RandomKey key, unsigned int index, unsigned int* to);
  void (*round_bfloat16)(std::int64_t n, const float* from, const unsigned int* bits,
                         op::bfloat16* to);
  void (*round_float16)(std::int64_t n, const float* from, const unsigned int* bits,
                        op::float16* to);
  void (*direct_narrow[op::Rules::size][op::Penalties::size])(const NarrowRun&);  // null: use tiles
};

struct LossTable;
struct DescentTable;
struct ManyTable;
struct LineTable;
struct RowTable;
struct LayerTable;
struct DecodeTable;
struct Tables {
  const StepTable* step;
  const LossTable* loss;
  const DescentTable* descent;
  const ManyTable* many;
  const LineTable* line;
  const RowTable* row;
  const LayerTable* layer;
  const DecodeTable* decode;
};

const Tables& tables();                  // in use
const char* isa();                       // its name
bool set_isa(const char* name);          // false: unknown, or this processor lacks it
const char* const* available_isas();     // best first, null-terminated
const char* missing_baseline_feature();  // null: this processor can run the module

}  // namespace proxstep::cpu
