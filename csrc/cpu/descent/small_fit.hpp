// One of many small fits: from its start to the least, and what is told of it.
#pragma once
#include <cstdint>

#include "../../task.hpp"
#include "blocks.hpp"
#include "centred.hpp"

namespace proxstep::cpu {

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

// The loss is (y'y - 2 c'x + x'G x) / 2 with c = X'y, everything centred and shared out.
class FitWorker {
 public:
  FitWorker(const ManyRun& run, const Blocks& blocks, std::int64_t p, bool single);
  void run(const Centred& X, const Targets& targets, std::int64_t fit);

 private:
  SmallFit small_fit(const Centred& X, const Targets& targets, double tolerance, std::int64_t most);
  void find_gradient(const SmallFit& fit);
  std::int64_t descend(const SmallFit& fit);
  void tell(const SmallFit& fit, const Targets& targets, ManyReport* report);
  void round_to_single();
  void put_inside();
  double dot(const double* a, const double* b) const;
  double norm(const double* values) const;
  double loss(const Targets& targets, double inner) const;

  const ManyRun& run_;
  const Blocks& blocks_;
  std::int64_t p_;
  bool single_;  // x ends up in float32
  Zeros x_, gradient_, history_;
};

}  // namespace proxstep::cpu
