// Many small least-squares problems with one penalty: each is minimised on its Gram matrix, which
// all share where X is shared. A fit depends on nothing but its own data.
#pragma once
#include <cstdint>
#include <optional>

#include "../../array.hpp"
#include "../../task.hpp"
#include "blocks.hpp"
#include "centred.hpp"

namespace proxstep::cpu {

struct ManySquares {
  Array X;                         // (n, p) for all fits, or (fits, n, p); any strides
  const double* Y = nullptr;       // (fits, n)
  const double* shares = nullptr;  // n, with sum 1; null: equal ones
  bool intercept = false;
};

// What a fit tells of where it ended; the objective and the intercept are of x as X's type holds
// it.
struct ManyReport {
  double loss, inner;  // inner: of x and the gradient
  double objective, intercept;
  double scale, largest;  // loss of the null model, mean square of a column
  double pull;            // norm of the null model's gradient
  double epochs;          // added to
};

// Asked of some fits, by their numbers.
struct ManyRun {
  ElementPenalty element;
  const std::int64_t* fits = nullptr;
  std::int64_t count = 0;
  double* x = nullptr;         // (fits, p): from here to the least
  double* gradient = nullptr;  // (fits, p), of the loss
  ManyReport* reports = nullptr;
  double tolerance = 0.0;       // of the estimated suboptimality, relative to the scale
  std::int64_t max_epochs = 0;  // of each fit, in all runs
};

class ManyFits {
 public:
  explicit ManyFits(const ManySquares& squares);
  ManyFits(const ManyFits&) = delete;  // parts of it refer to each other
  void run(const ManyRun& run) const;

 private:
  void run_one(const ManyRun& run, std::int64_t b, const Centred& X, const Blocks& blocks) const;
  ManySquares squares_;
  SampleShares samples_;
  std::int64_t p_;
  std::optional<Centred> shared_;
};

}  // namespace proxstep::cpu
