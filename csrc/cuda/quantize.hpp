// Runs checked tasks with levels on a device: all of one layout in one launch, and in one
// before it what groups that several blocks share need.
#pragma once
#include <vector>

#include "filler.hpp"

namespace proxstep::cuda {

// Steps the tasks at these places of the list, all of one layout.
void run_levels(const StepRun& run, const std::vector<std::size_t>& places);

// The penalty's value of one array, added to the statistics.
void add_level_values(const Launcher& launch, const Task& task, StatisticsOnDevice* statistics);

}  // namespace proxstep::cuda
