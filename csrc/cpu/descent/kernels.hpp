// The loops of coordinate descent that every instruction set fills in: over the samples of one
// column of X, and over the losses of samples. All arithmetic is in double, X stays as it is
// stored.
#pragma once
#include <cstdint>

namespace proxstep::cpu {

// One column of X: `count` samples in a row, or, where sparse, `count` entries and their samples;
// all values times the factor.
struct Column {
  const void* values = nullptr;
  const void* indices = nullptr;
  std::int64_t count = 0;
  double factor = 1.0;
};

struct Moments {
  double first, second;  // sum_i h_i x_i and sum_i h_i x_i^2
};

// Of one storage type and, where sparse, one index type.
struct ColumnLoops {
  double (*dot)(const Column&, const double* r);
  void (*add)(const Column&, double d, double* to);  // to += d x
  // Several columns: their dots, and to += d[0] x[0] + d[1] x[1] + ...
  void (*dots)(const Column* x, std::int64_t count, const double* r, double* to);
  void (*add_all)(const Column* x, std::int64_t count, const double* d, double* to);
  void (*add_bent)(const Column&, double d, const double* h, double* to);  // to += d h x
  Moments (*moments)(const Column&, const double* h);
  double (*product)(const Column&, const Column&, const double* h);  // sum_i h_i x_i z_i
};

constexpr int kGramLine = 8;               // columns of a block of a Gram matrix
constexpr int kGramPanel = 3 * kGramLine;  // columns that lie side by side, sample by sample
constexpr int kWordBits = 64;              // columns that a word of a sample tells of

// Of a Gram matrix, over one tile of samples: kGramLine columns of a panel by some lines of one.
struct GramBlock {
  const double* a;
  const double* b;
  std::int64_t samples, lines;
  double* g;
  std::int64_t stride;  // from row to row of g
};

struct DescentTable {
  ColumnLoops dense[2];            // float64, float32
  ColumnLoops sparse[2][2];        // by index type: int32, int64
  void (*gram)(const GramBlock&);  // g += a'b
  // By index type: for each of the first bits, the sum of h over the samples of a sparse column
  // whose words have it. There is room for kWordBits sums.
  void (*shared[2])(const Column&, const double* h, const std::uint64_t* words, std::int64_t bits,
                    double* sums);
};

}  // namespace proxstep::cpu
