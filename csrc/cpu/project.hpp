// Euclidean projections onto the simplex, the l1 ball and the arrays with at most k nonzeros:
// exact, in linear time (expected, for the first two).
#pragma once
#include "../projection.hpp"

namespace proxstep::cpu {

void project(const Projection& task);

}  // namespace proxstep::cpu
