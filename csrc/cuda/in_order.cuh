// Which elements of a pack stay where only the first of equal ones do. All threads of a team take
// part, each with the pack behind that of the thread before it.
#pragma once
#include "pack.cuh"
#include "project_team.cuh"

namespace proxstep::cuda {

template <class Key>
struct Ties {
  Key key;           // keys above it stay,
  long long wanted;  // and of those equal to it, from the team's first pack on, so many
};

// Returns how many ties the team has.
template <int size, class Key, int n>
__device__ __forceinline__ int stay_in_order(const Pack<Key, n>& keys, const Span& span,
                                             const Ties<Key>& ties, Pack<bool, n>& stays) {
  int own = 0;
#pragma unroll
  for (int j = 0; j < n; ++j) own += span.holds(j) && keys.at[j] == ties.key;
  const Counted<int> place = team_place<size>(own);
  long long wanted = ties.wanted - place.before;
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const bool tie = span.holds(j) && keys.at[j] == ties.key;
    stays.at[j] = keys.at[j] > ties.key || (tie && wanted > 0);
    wanted -= tie;
  }
  return place.all;
}

}  // namespace proxstep::cuda
