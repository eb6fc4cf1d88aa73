// Instantiates the kernels of the storage type PROXSTEP_STORAGE; compiled once for each.
#include <cuda_runtime.h>

#include "kernels.hpp"
#include "native.hpp"

namespace proxstep::cuda {
namespace {

struct Add {
  NativeKernels& kernels;
  template <class Argument>
  void operator()(const std::string& name, void (*kernel)(Argument)) const {
    kernels[name] = reinterpret_cast<const void*>(kernel);
  }
};

}  // namespace

template <>
void add_kernels<PROXSTEP_STORAGE>(NativeKernels& kernels) {
  each_kernel<PROXSTEP_STORAGE>(Add{kernels});
}

}  // namespace proxstep::cuda
