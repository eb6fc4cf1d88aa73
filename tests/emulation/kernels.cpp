// The CUDA kernels on the host, as a backend that the core takes for a device: device memory is
// ordinary memory, a stream a number that is remembered.
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "cuda_emulation.hpp"
// The kernels come after the emulation.
#include "cuda/kernels.hpp"
#include "cuda/launch.hpp"

namespace {

using namespace proxstep;

using Kernel = std::function<void(const void* argument)>;

struct Add {
  std::map<std::string, Kernel>& kernels;
  template <class Argument>
  void operator()(const std::string& name, void (*kernel)(const Argument&)) const {
    kernels[name] = [kernel](const void* argument) {
      kernel(*static_cast<const Argument*>(argument));
    };
  }
};

const std::map<std::string, Kernel>& kernels() {
  static const std::map<std::string, Kernel> all = [] {
    std::map<std::string, Kernel> named;
    cuda::each_kernel<double>(Add{named});
    cuda::each_kernel<float>(Add{named});
    cuda::each_kernel<op::bfloat16>(Add{named});
    cuda::each_kernel<op::float16>(Add{named});
    return named;
  }();
  return all;
}

constexpr int kUnknownKernel = 1, kNoMemory = 2;
long long launched = 0, held = 0, waited = 0;
std::uintptr_t last_stream = 0;
std::set<std::string> launched_names;  // since they were asked for

int launch(cuda::Stream stream, const char* name, std::int64_t blocks, const void* argument) {
  const auto found = kernels().find(name);
  if (found == kernels().end()) return kUnknownKernel;
  emulation::launch(blocks, cuda::kThreads, [&] { found->second(argument); });
  ++launched;
  launched_names.insert(name);
  last_stream = stream.handle;
  return 0;
}

int allocate(cuda::Stream, std::size_t bytes, void** memory) {
  *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!*memory) return kNoMemory;
  std::memset(*memory, 0xa5, bytes);  // what nobody wrote is seen
  ++held;
  return 0;
}

int release(cuda::Stream, void* memory) {
  std::free(memory);
  --held;
  return 0;
}

int discard(int, void* memory) { return release({}, memory); }

int copy(cuda::Stream, void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
  ++waited;
  return 0;
}

const char* describe(int code) {
  return code == kUnknownKernel ? "no such kernel" : "out of memory";
}

const cuda::Functions functions{launch, allocate, release, discard, copy, copy, describe};

}  // namespace

extern "C" const cuda::Functions* emulated_functions() { return &functions; }
extern "C" const char* kernel_names() {
  static const std::string names = [] {
    std::string joined;
    for (const auto& [name, kernel] : kernels()) joined += name + "\n";
    return joined;
  }();
  return names.c_str();
}
extern "C" const char* launched_kernels() {
  static std::string joined;
  joined.clear();
  for (const std::string& name : launched_names) joined += name + "\n";
  launched_names.clear();
  return joined.c_str();
}
extern "C" long long launches() { return launched; }
extern "C" unsigned long long stream_of_last_launch() { return last_stream; }
extern "C" long long blocks_of_memory() { return held; }
extern "C" long long waits() { return waited; }
