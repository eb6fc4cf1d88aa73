// Products with a matrix as lines: its columns in F order and CSC, its rows in C order and CSR.
// Both X x and X' r are then a dot with every line, or a sum of lines. Arithmetic is in double.
#pragma once
#include <cstdint>

#include "../matrix.hpp"

namespace proxstep::cpu {

// lines and positions: those that take part, null for all of them; positions of dense lines only.
// Row k of the lines' side and row e of the positions' side belong to the k-th and e-th that do.
struct LineJob {
  const Matrix* matrix;
  const std::int64_t* lines;
  const std::int64_t* positions;
  std::int64_t length;   // of a line
  std::int64_t count;    // positions that take part
  std::int64_t outputs;  // columns of from and to, in C order
  const double* from;
  double* to;
};

struct LineKernels {
  // Row k of to becomes line k times from.
  void (*dot)(const LineJob&, std::int64_t begin, std::int64_t end);
  // Row k of from times line k is added to to; at positions first to last.
  void (*add)(const LineJob&, std::int64_t begin, std::int64_t end, std::int64_t first,
              std::int64_t last);
};

// Sums over samples of w d and w d^2 for d = x - origin, one of each for a column of a dense X.
// shares null: w is 1.
struct DeviationJob {
  const Matrix* matrix;
  const double* shares;
  const double* origin;
  double* sums;
  double* squares;
};

struct DeviationKernels {
  // Columns that lie in a row of memory each: their sums are written.
  void (*columns)(const DeviationJob&, std::int64_t begin, std::int64_t end);
  // Columns that lie side by side, over some samples: their sums are added to.
  void (*rows)(const DeviationJob&, std::int64_t first, std::int64_t last, std::int64_t begin,
               std::int64_t end);
};

// Dots of dense lines with several outputs: positions first to last are added to lines of to.
// turned: room for kTurned doubles an output.
constexpr std::int64_t kTurnedAtOnce = 1 << 11, kTurned = kTurnedAtOnce + 8;  // no power of two
using BlockDot = void (*)(const LineJob&, std::int64_t begin, std::int64_t end, std::int64_t first,
                          std::int64_t last, double* turned);

struct LineTable {
  LineKernels dense[2], chosen[2];  // by dtype: float64, float32; chosen: with positions
  LineKernels sparse[2][2];         // and by index: int32, int64
  BlockDot block_dot[2];
  DeviationKernels deviations[2];
};

}  // namespace proxstep::cpu
