// What a compressed matrix must satisfy before any loop follows its indices. Positions are of the
// first violation, -1 where there is none.
#pragma once
#include "../matrix.hpp"

namespace proxstep::cpu {

// The start that does not follow from the one before it: they rise from 0 to the stored count.
std::int64_t first_bad_start(const Matrix& sparse, std::int64_t stored);

// The index that is out of range or does not increase within its row or column. The starts are
// good.
std::int64_t first_bad_index(const Matrix& sparse);

}  // namespace proxstep::cpu
