// Runs a checked projection on a device: one launch for rows that a warp or a block holds, a fixed
// number of launches for longer ones.
#pragma once
#include "../projection.hpp"
#include "launch.hpp"

namespace proxstep::cuda {

// Nothing waits for the device.
void project(Backend& backend, Stream stream, const Projection& task);

}  // namespace proxstep::cuda
