// What a projection of one array is asked to do, checked, for any device.
#pragma once
#include <cstdint>

#include "array.hpp"

namespace proxstep {

enum class ProjectionSet { simplex, l1_ball, top_k };

// Every row of n numbers on its own; out may be z.
struct Projection {
  ProjectionSet set = ProjectionSet::simplex;
  DType dtype = DType::float32;
  const void* z = nullptr;
  void* out = nullptr;
  std::int64_t rows = 0, n = 0;
  double radius = 0.0;  // of the simplex and the ball
  std::int64_t k = 0;   // how many elements of top_k may be nonzero
};

}  // namespace proxstep
