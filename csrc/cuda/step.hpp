// Runs checked tasks on a device: tables of arrays become launches on the caller's stream.
#pragma once
#include <vector>

#include "../task.hpp"
#include "launch.hpp"

namespace proxstep::cuda {

// Learning rates and a step count in the device's memory, for graphs that are captured.
struct DeviceRates {
  long long* steps;                    // taken before this one; incremented
  std::vector<const double*> rates;    // of each task
  std::vector<const double*> numbers;  // of each task's rule, as the user gave them
  std::vector<double> densities;       // that selections keep of what moves; NaN where a count
};

struct StepCall {
  double grad_scale = 1.0;
  double max_norm = 0.0;  // <= 0: no clipping
  const DeviceRates* device_rates = nullptr;
  double* norm = nullptr;            // of the scaled gradients, wanted where not null
  Statistics* statistics = nullptr;  // added to, wanted where not null
  std::vector<std::int64_t> keep;    // elements that stay, of each selection
};

// Asking for statistics or the norm waits for the device; nothing else does.
void run(Backend& backend, Stream stream, const std::vector<Task>& tasks, const StepCall& call);

// Both wait for the device.
double penalty_value(Backend& backend, Stream stream, const Task& task);
double global_norm(Backend& backend, Stream stream, const std::vector<Array>& arrays);

}  // namespace proxstep::cuda
