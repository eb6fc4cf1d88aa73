// What one descent is asked to do: the smooth loss of one output plus a penalty, minimised over
// chosen blocks of x (elements, or groups of them) and the intercept; all else of x stays.
#pragma once
#include <cstdint>
#include <functional>

#include "matrix.hpp"
#include "op/loss.hpp"
#include "task.hpp"

namespace proxstep {

struct Descent {
  Matrix X;
  const std::int64_t* blocks = nullptr;  // numbers of the chosen elements or groups
  std::int64_t count = 0;
  ElementPenalty element;
  GroupPenalty groups;
  int loss = 0;  // index in op::Losses
  double loss_settings[op::kMaxLossSettings] = {};
  const double* targets = nullptr;
  const double* shares = nullptr;    // of the samples, with sum 1; null: equal ones
  const double* gram = nullptr;      // p by p, X_c' W X_c, where one is kept
  const double* means = nullptr;     // of the columns, by the shares; null: there is no intercept
  double* x = nullptr;               // p; the chosen ones change
  const double* margins = nullptr;   // n: X x + intercept + offset; not read beside a Gram matrix
  const double* gradient = nullptr;  // p: of the loss there, the intercept fitted
  double tolerance = 0.0;            // of the estimated suboptimality
  std::int64_t max_epochs = 0;
  std::function<bool()> interrupted;  // asked once an epoch
};

struct DescentReport {
  double intercept_change = 0.0;  // where the loss is not the square, whose mean is found at once
  double estimate = 0.0;  // of how far the objective is above its least value on these blocks
  std::int64_t epochs = 0, models = 0;
};

namespace cpu {

class GramCache;
DescentReport descend(const Descent& descent, GramCache* cache);

}  // namespace cpu

}  // namespace proxstep
