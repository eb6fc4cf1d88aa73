// Runs checked tasks of which only the elements of largest score stay, in each or in many together.
#pragma once
#include "filler.hpp"

namespace proxstep::cuda {

// Steps the tasks that take part in a selection. Equal scores stay in the order of the tasks, then
// of memory. Nothing waits for the device.
void run_selections(const StepRun& run);

}  // namespace proxstep::cuda
