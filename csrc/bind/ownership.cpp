#include "ownership.hpp"

#include <algorithm>

#include "checks.hpp"

namespace proxstep::bind {

std::pair<const Borrowed*, const Borrowed*> Ownership::overlapping() {
  std::sort(owned_.begin(), owned_.end());
  for (std::size_t k = 1; k < owned_.size(); ++k) {
    const Borrowed *const a = owned_[k - 1].array, *const b = owned_[k].array;
    if (overlaps(a->array, b->array)) return {a, b};
  }
  return {nullptr, nullptr};
}

// The owned arrays lie apart, so only the neighbours can touch it.
void Ownership::check_apart(const Borrowed& lent) const {
  const auto next = std::upper_bound(owned_.begin(), owned_.end(), Owned{lent.array.data, &lent});
  if (next != owned_.end()) check_no_overlap(lent, *next->array);
  if (next != owned_.begin()) check_no_overlap(lent, *(next - 1)->array);
}

}  // namespace proxstep::bind
