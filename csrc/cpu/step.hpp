// Runs steps and proxes over whole arrays: cuts them into chunks and tiles for the loops in
// kernels.hpp. Input is checked before it comes here.
#pragma once
#include <cstdint>
#include <vector>

#include "../task.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {

// What the tasks of one call share.
struct Pass {
  double grad_scale = 1.0;
  bool from_memory = false;  // their arrays are more than a cache is likely to hold
};
Pass pass_over(const Task* tasks, std::int64_t count, double grad_scale);

// statistics may be null; it is added to.
void run(const Task* tasks, std::int64_t count, double grad_scale, Statistics* statistics);

// h(x) in float64.
double penalty_value(const Task& task);

// sqrt of the sum of squares of all arrays, in float64.
double global_norm(const std::vector<Array>& arrays);

}  // namespace proxstep::cpu
