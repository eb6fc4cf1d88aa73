// Memory that many arrays own: no two of them may share any, and nothing that is lent may touch it.
#pragma once
#include <utility>
#include <vector>

#include "borrowed.hpp"

namespace proxstep::bind {

class Ownership {
 public:
  // The arrays must stay where they are from here on.
  void add(const Borrowed& b) {
    if (b.array.size()) owned_.push_back({b.array.data, &b});
  }
  // Two arrays that share memory, or nulls; called once all are added.
  std::pair<const Borrowed*, const Borrowed*> overlapping();
  void check_apart(const Borrowed& lent) const;
  void clear() { owned_.clear(); }

 private:
  struct Owned {
    const void* begin;  // a copy, so that a search stays in a few lines of memory
    const Borrowed* array;
    bool operator<(const Owned& other) const { return begin < other.begin; }
  };
  std::vector<Owned> owned_;
};

}  // namespace proxstep::bind
