// Which elements of many arrays have the largest scores of nm.hpp.
#pragma once
#include <cstdint>
#include <vector>

#include "../task.hpp"

namespace proxstep::cpu {

// Where a selection ended the last time, in scores: the next one starts there. Nothing but the time
// that it takes depends on it.
struct LastEnd {
  long long key = -1, move = 0, reach = 0;
  std::vector<unsigned char> marks;  // a bit per element, kept for their memory
};

struct SelectCall {
  std::vector<std::int64_t> keep;  // elements that stay, of each selection
  double grad_scale = 1.0;
  bool statistics = false;  // wanted of the step that follows
  std::vector<LastEnd>* ends = nullptr;
};

// Of all elements of the tasks that take part in selection j, keep[j] will stay in the step that
// follows: sets what each task keeps, and steps the tasks already where that is quicker. Equal
// scores stay in the order of the tasks, then of memory. Tasks of one selection compute in one
// type.
void select(const SelectCall& call, std::vector<Task>* tasks);

}  // namespace proxstep::cpu
