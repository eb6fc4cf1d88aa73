// Euclidean projections onto the simplex and the l1 ball, exact, in expected linear time.
#pragma once
#include <cstdint>

#include "../array.hpp"

namespace proxstep::cpu {

enum class ConvexSet { simplex, l1_ball };

// Every row of n numbers on its own; out may be z.
void project(ConvexSet set, DType dtype, const void* z, void* out, std::int64_t rows,
             std::int64_t n, double radius);

}  // namespace proxstep::cpu
