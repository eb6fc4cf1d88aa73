// Runs checked tasks with groups on a device: all of one layout in one launch, whatever their rules
// and penalties.
#pragma once
#include <vector>

#include "filler.hpp"

namespace proxstep::cuda {

inline bool has_groups(const Task& t) { return t.groups.over != Over::nothing; }

// Lanes of a segment of this mean length: each has up to a few packs.
template <class S>
int lanes_of_segment(std::int64_t length) {
  const std::int64_t packs = parts_of(length, kRulePack<S>);
  if (packs > 8 * kWarp) return kThreads;
  int lanes = 1;
  while (lanes < kWarp && lanes < packs) lanes *= 2;
  return lanes;
}

// Steps the tasks at these places of the list, all of one layout.
void run_groups(const StepRun& run, const std::vector<std::size_t>& places);

// The penalty's value of one array, added to the statistics.
void add_group_values(const Launcher& launch, const Task& task, StatisticsOnDevice* statistics);

}  // namespace proxstep::cuda
