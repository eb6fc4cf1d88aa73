// The loops of many small least-squares fits that every instruction set fills in. X comes in tiles
// of samples, widened to rows of doubles; rows and vectors are padded by zeros to whole lines.
#pragma once
#include <cstdint>

#include "../../op/prox.hpp"
#include "anderson_weights.hpp"

namespace proxstep::cpu {

constexpr int kLine = 8;        // doubles, of a cache line and of the widest vector
constexpr int kGramHeight = 4;  // columns that a block of a Gram matrix takes by whole lines

// Samples as they are stored; the distances are in items.
struct StoredSamples {
  const void* values;
  std::int64_t count, p, down, across;
};

// Memory that will be read soon, fetched so many lines at a time.
struct Ahead {
  const char* next;
  const char* end;
  std::int64_t each;
};

// Rows of `width` doubles, whole lines; `apart` is the distance from one to the next.
struct SmallRows {
  const double* values;
  std::int64_t count, width, apart;
};

constexpr int kSmallHistory = kAndersonDepth + 2;  // vectors

// Half of x'G x plus the penalty, less c'x: x and its gradient move together. Arrays have `width`
// entries, G as many squared; behind x, its gradient, the steps and G one more is read.
struct SmallFit {
  std::int64_t p, width;
  const double* gram;
  const double* c;
  const double* steps;  // 1 / curvature; 0: the element stays
  const double* settings;
  const double* weights;  // null: ones
  double* x;
  double* gradient;
  double* history;    // kSmallHistory times the width, whatever is in it
  double tolerance;   // of the estimated suboptimality
  std::int64_t most;  // epochs
};

struct SmallReport {
  double first;  // estimate of the first epoch
  std::int64_t epochs;
};

struct ManyTable {
  // To row i, column j: (x_ij - means_j) factors_i; what pads the rows stays. By dtype as below.
  void (*widen[2])(const StoredSamples&, const double* means, const double* factors, double* to,
                   std::int64_t apart);
  void (*add_adjoint)(const SmallRows& A, const double* y, double* to);  // to += A'y
  void (*gradient)(const SmallFit&, const double* x, double* gradient);
  // G += A'A, on and below the diagonal; meanwhile what comes next is fetched.
  void (*add_gram)(const SmallRows& A, Ahead& ahead, double* G);
  SmallReport (*descend[op::Penalties::size])(const SmallFit&);  // null: not convex
};

}  // namespace proxstep::cpu
