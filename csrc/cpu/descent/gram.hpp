// X' H X over chosen columns, in fixed chunks of samples whose sums are added in their order.
#pragma once
#include <vector>

#include "model.hpp"

namespace proxstep::cpu {

// Row by row, count x count.
std::vector<double> gram_matrix(const Columns& columns, const Bend& bend);

}  // namespace proxstep::cpu
