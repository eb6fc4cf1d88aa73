#include "ownership.hpp"

#include <algorithm>

#include "checks.hpp"

namespace proxstep::bind {

void Ownership::check_overlaps() {
  std::sort(owned_.begin(), owned_.end());
  for (std::size_t k = 1; k < owned_.size(); ++k) {
    check_no_overlap(*owned_[k - 1].array, *owned_[k].array);
  }
}

// The owned arrays lie apart, so only the neighbours can touch it.
void Ownership::check_apart(const Borrowed& lent) const {
  const auto next = std::upper_bound(owned_.begin(), owned_.end(), Owned{lent.array.data, &lent});
  if (next != owned_.end()) check_no_overlap(lent, *next->array);
  if (next != owned_.begin()) check_no_overlap(lent, *(next - 1)->array);
}

}  // namespace proxstep::bind
