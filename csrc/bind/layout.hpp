// In which order the elements of an array lie in memory.
#pragma once
#include "../array.hpp"

namespace proxstep::bind {

bool is_c_order(const Array& a);
bool is_f_order(const Array& a);
bool first_is_outermost(const Array& a);  // of a dense array: each of its slices lies together
bool is_permuted(const Array& a);         // some order of the dimensions makes it contiguous
// The same; most arrays are told by the first two, which are quick.
inline bool is_dense(const Array& a) { return is_c_order(a) || is_f_order(a) || is_permuted(a); }

}  // namespace proxstep::bind
