// Steps of single rows of an array. A row without a gradient may wait: before it is stepped again,
// or looked at, it makes up for the steps it has missed, one by one, while it lies in the cache
// (replay.hpp). The bits are those of stepping all rows every time with zeros for the gradients
// that are not there.
#pragma once
#include <cstdint>
#include <vector>

#include "../task.hpp"

namespace proxstep::cpu {

struct Rows {
  Task whole;                       // x, moments and penalty; the history has the rule
  std::int64_t width = 0;           // elements of a row
  std::int64_t start = 0;           // steps before the history
  std::int64_t sweep = 0;           // steps before the sweep that brings up all rows, part by part
  std::int64_t steady = 0;          // the steps after this one have all been the same
  std::int64_t stirred = 0;         // steps up to the last that moves zeros with moments of zero
  std::vector<RuleStep> history;    // what each step since has done
  std::vector<std::int64_t> taken;  // steps of each row
  std::vector<std::uint8_t> rests;  // of each row: it is zero, and was so after a step without g

  std::int64_t now() const { return start + static_cast<std::int64_t>(history.size()); }
};

// The next step enters the history.
void add_step(Rows& rows, const RuleStep& step);

// Brings `count` distinct rows to the present, all of them where which is null; whether any of them
// had steps to make up for.
bool catch_up(Rows& rows, const std::int64_t* which, std::int64_t count);

// The newest step of the history, for `count` distinct rows whose gradients are the rows of g.
void step_rows(Rows& rows, const std::int64_t* which, std::int64_t count, const void* g,
               double grad_scale);

// The same for all rows, g being of x's shape. Rows that rest wait on while their gradient is zero:
// only that is read.
void step_awake(Rows& rows, const void* g, double grad_scale);

// Forgets the history once all rows are at the present.
void forget(Rows& rows);

}  // namespace proxstep::cpu
