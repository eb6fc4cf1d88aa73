// Runs checked tasks with N:M sparsity on a device: all of one layout in one launch.
#pragma once
#include <vector>

#include "filler.hpp"

namespace proxstep::cuda {

// Steps the tasks at these places of the list, all of one layout.
void run_nm(const StepRun& run, const std::vector<std::size_t>& places);

// The penalty's value of one array, added to the statistics.
void add_nm_values(const Launcher& launch, const Task& task, StatisticsOnDevice* statistics);

}  // namespace proxstep::cuda
