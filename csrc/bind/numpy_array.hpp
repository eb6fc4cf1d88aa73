// A NumPy array, read through its C struct: a few nanoseconds, and bfloat16 works.
#pragma once
#include <pybind11/pybind11.h>

#include "../array.hpp"

namespace proxstep::bind {

// False where the object is none.
bool read_numpy(pybind11::handle object, const char* name, Array* to);

}  // namespace proxstep::bind
