// The steps that rows owe, taken by many rows together in a scratch that stays in the cache: one
// loop over all of them for each step, whatever the rule and the penalty.
#pragma once
#include <vector>

#include "rows.hpp"

namespace proxstep::cpu {

class Replay {
 public:
  // room: rows at once; until: steps that all will have taken.
  Replay(Rows& rows, std::int64_t room, std::int64_t until);

  // Rows that have taken fewer, in the order of what they have taken.
  void catch_up(const std::int64_t* which, std::int64_t count);

 private:
  struct alignas(64) Line {
    char bytes[64];
  };
  // What belongs to the rows of an array, and where that of the rows at hand is.
  struct Part {
    char* home;
    std::int64_t bytes;  // of a row
    bool moves;
    std::vector<Line> here, before;
    char* own(std::int64_t slot) { return here.data()->bytes + slot * bytes; }
    const char* old(std::int64_t slot) const { return before.data()->bytes + slot * bytes; }
  };

  template <class T>
  void lend(T*& array, std::int64_t bytes, bool moves, std::int64_t room);
  std::int64_t active() const { return static_cast<std::int64_t>(slots_.size()); }
  bool is_steady(std::int64_t number) const { return number > rows_.steady; }
  void enter(std::int64_t index);
  void leave(std::int64_t slot);
  void step(std::int64_t number);
  void step_and_look(std::int64_t number);
  bool is_settled(std::int64_t slot, std::int64_t number);
  bool stays_zero(std::int64_t slot, std::int64_t number);

  Rows& rows_;
  std::int64_t until_;
  std::vector<std::int64_t> slots_;  // the row in each
  std::vector<Part> parts_;          // of x first
  std::vector<Line> zeros_;          // their gradients
  Task task_;
};

}  // namespace proxstep::cpu
