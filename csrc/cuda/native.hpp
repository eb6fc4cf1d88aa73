// The compiled kernels by name.
#pragma once
#include <string>
#include <unordered_map>

namespace proxstep::cuda {

using NativeKernels = std::unordered_map<std::string, const void*>;

// Those of one storage type, each compiled on its own.
template <class S>
void add_kernels(NativeKernels& kernels);

}  // namespace proxstep::cuda
