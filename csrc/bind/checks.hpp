// What arguments must satisfy beside each other; an error names both and says their values.
#pragma once
#include "borrowed.hpp"

namespace proxstep::bind {

bool fits(double value, DType dtype);  // finite in the compute type

void check_place(const Borrowed& b, const Borrowed* like);       // null: any place
void check_same_shape(const Borrowed& b, const Borrowed& like);  // and the same layout
void check_same_dtype(const Borrowed& b, const Borrowed& like);
void check_dtype(const Borrowed& b, DType wanted, const Borrowed& like);
bool overlaps(const Array& a, const Array& b);
void check_no_overlap(const Borrowed& a, const Borrowed& b);
// An output may be exactly its input, never half of it.
void check_same_or_apart(const Borrowed& out, const Borrowed& in);

}  // namespace proxstep::bind
