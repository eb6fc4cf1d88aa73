// Launches and memory through the CUDA runtime, on the caller's stream. Codes are cudaError_t.
#include "native.hpp"

#include <cuda_runtime_api.h>

#include <map>
#include <mutex>
#include <vector>

#include "functions.hpp"
#include "tables.hpp"

namespace proxstep::cuda {
namespace {

const NativeKernels& kernels() {
  static const NativeKernels all = [] {
    NativeKernels named;
    add_kernels<double>(named);
    add_kernels<float>(named);
    add_kernels<op::bfloat16>(named);
    add_kernels<op::float16>(named);
    return named;
  }();
  return all;
}

// Makes a device current, and at the end the one that was.
class OnDevice {
 public:
  explicit OnDevice(int device) {
    code_ = cudaGetDevice(&before_);
    if (code_ == cudaSuccess && before_ != device) {
      code_ = cudaSetDevice(device);
      changed_ = code_ == cudaSuccess;
    }
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() {
    if (changed_) cudaSetDevice(before_);
  }
  cudaError_t code() const { return code_; }

 private:
  int before_ = 0;
  bool changed_ = false;
  cudaError_t code_;
};

cudaStream_t stream_of(Stream stream) { return reinterpret_cast<cudaStream_t>(stream.handle); }

// A pool of our own for each device, which keeps a little: the default one gives all memory back
// whenever somebody waits.
constexpr unsigned long long kKept = 64ull << 20;  // bytes
cudaError_t make_pool(int device, cudaMemPool_t* pool) {
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, device};
  const cudaError_t code = cudaMemPoolCreate(pool, &properties);
  if (code != cudaSuccess) return code;
  unsigned long long kept = kKept;
  return cudaMemPoolSetAttribute(*pool, cudaMemPoolAttrReleaseThreshold, &kept);
}
cudaError_t pool_of(int device, cudaMemPool_t* pool) {
  static std::mutex mutex;
  static std::vector<cudaMemPool_t> pools;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto place = static_cast<std::size_t>(device);
  if (pools.size() <= place) pools.resize(place + 1, nullptr);
  if (!pools[place]) {
    cudaMemPool_t made = nullptr;
    const cudaError_t code = make_pool(device, &made);
    if (code != cudaSuccess) return code;
    pools[place] = made;
  }
  *pool = pools[place];
  return cudaSuccess;
}

int launch(Stream stream, const char* name, std::int64_t blocks, const void* argument) {
  const auto kernel = kernels().find(name);
  if (kernel == kernels().end()) return cudaErrorInvalidDeviceFunction;
  const OnDevice on(stream.device);
  if (on.code() != cudaSuccess) return on.code();
  void* arguments[] = {const_cast<void*>(argument)};
  return cudaLaunchKernel(kernel->second, dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                          arguments, 0, stream_of(stream));
}

int allocate(Stream stream, std::size_t bytes, void** memory) {
  const OnDevice on(stream.device);
  cudaMemPool_t pool = nullptr;
  cudaError_t code = on.code();
  if (code == cudaSuccess) code = pool_of(stream.device, &pool);
  if (code == cudaSuccess) code = cudaMallocFromPoolAsync(memory, bytes, pool, stream_of(stream));
  return code;
}

int release(Stream stream, void* memory) {
  const OnDevice on(stream.device);
  return on.code() != cudaSuccess ? on.code() : cudaFreeAsync(memory, stream_of(stream));
}

// What was discarded may still be in use, and to wait for the device could break a capture or a
// destructor: it is freed when somebody waits anyway.
class Discarded {
 public:
  static Discarded& all() {
    static Discarded discarded;
    return discarded;
  }
  void add(int device, void* memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    memory_.emplace(device, memory);
  }
  // Of the current device.
  cudaError_t free(int device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [first, last] = memory_.equal_range(device);
    if (first == last) return cudaSuccess;
    cudaError_t code = cudaDeviceSynchronize();
    for (auto each = first; each != last && code == cudaSuccess;) {
      code = cudaFree(each->second);
      each = memory_.erase(each);
    }
    return code;
  }

 private:
  std::mutex mutex_;
  std::multimap<int, void*> memory_;  // by device
};

int discard(int device, void* memory) {
  Discarded::all().add(device, memory);
  return cudaSuccess;
}

int copy(Stream stream, void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const OnDevice on(stream.device);
  cudaError_t code = on.code();
  if (code == cudaSuccess) code = cudaMemcpyAsync(to, from, bytes, kind, stream_of(stream));
  if (code == cudaSuccess) code = cudaStreamSynchronize(stream_of(stream));
  return code;
}
int write(Stream stream, void* to, const void* from, std::size_t bytes) {
  const OnDevice on(stream.device);
  cudaError_t code = on.code();
  if (code == cudaSuccess) code = Discarded::all().free(stream.device);
  if (code != cudaSuccess) return code;
  return copy(stream, to, from, bytes, cudaMemcpyHostToDevice);
}
int read(Stream stream, void* to, const void* from, std::size_t bytes) {
  return copy(stream, to, from, bytes, cudaMemcpyDeviceToHost);
}

const char* describe(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

}  // namespace

const Functions& native_functions() {
  static const Functions functions{launch, allocate, release, discard, write, read, describe};
  return functions;
}

int device_count(const char** problem) {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  *problem = code == cudaSuccess ? "" : cudaGetErrorString(code);
  return code == cudaSuccess ? count : 0;
}

}  // namespace proxstep::cuda
