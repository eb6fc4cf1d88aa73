// What a descent on rows is asked to do: the loss of several outputs plus a penalty, minimised over
// chosen rows of x and the intercepts; all else of x stays.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "matrix.hpp"
#include "task.hpp"

namespace proxstep {

// Targets of the softmax are labels or probabilities, else values.
struct RowsDescent {
  Matrix X;
  std::int64_t outputs = 0;
  const std::int64_t* rows = nullptr;  // numbers of the chosen ones
  std::int64_t count = 0;
  ElementPenalty element;
  GroupPenalty groups;
  bool softmax = false;                  // else half the squared error
  const std::int64_t* labels = nullptr;  // n
  const double* targets = nullptr;       // n x outputs, where there are no labels
  const double* shares = nullptr;        // of the samples, with sum 1; null: equal ones
  const double* means = nullptr;         // of the columns, by the shares; null: no intercept
  double* x = nullptr;                   // p x outputs; the chosen rows change
  double* margins = nullptr;             // n x outputs: X x + intercept; follow x
  double tolerance = 0.0;                // of the estimated suboptimality
  std::int64_t max_epochs = 0;
  std::function<bool()> interrupted;  // asked once an epoch
};

struct RowsReport {
  std::vector<double> intercept_change;  // of X minus its means
  std::int64_t epochs = 0, models = 0;
};

namespace cpu {
RowsReport descend_rows(const RowsDescent& descent);
}

}  // namespace proxstep
