// What the module _cuda hands to the core.
#pragma once
#include "launch.hpp"

namespace proxstep::cuda {

const Functions& native_functions();

// problem: why there is none, in CUDA's words.
int device_count(const char** problem);

}  // namespace proxstep::cuda
