// How the host asks for a kernel, whoever runs it: the module _cuda, CuPy, or the tests' emulation.
// No CUDA header here: the core plans launches on machines that have none.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace proxstep::cuda {

// The caller's stream on its device; the handle is a cudaStream_t.
struct Stream {
  int device = 0;
  std::uintptr_t handle = 0;
};

struct Launch {
  std::string
      kernel;  // an expression in namespace proxstep::cuda, such as step_kernel<float, 5, 4>
  std::int64_t blocks;
  const void* argument;  // the one struct that the kernel takes by value
  std::size_t bytes;
};

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All methods raise Error. read and write wait for the stream; nothing else waits. discard is for
// what several streams may still use: it is freed at a later write.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual void launch(Stream stream, const Launch& launch) = 0;
  virtual void* allocate(Stream stream, std::size_t bytes) = 0;
  virtual void release(Stream stream, void* memory) noexcept = 0;  // in the stream's order
  virtual void discard(int device, void* memory) noexcept = 0;
  virtual void write(Stream stream, void* to, const void* from, std::size_t bytes) = 0;
  virtual void read(Stream stream, void* to, const void* from, std::size_t bytes) = 0;
};

// A backend that lives in another module: plain functions, so that no C++ crosses. They return a
// code, 0 for success.
struct Functions {
  int (*launch)(Stream stream, const char* kernel, std::int64_t blocks, const void* argument);
  int (*allocate)(Stream stream, std::size_t bytes, void** memory);
  int (*release)(Stream stream, void* memory);
  int (*discard)(int device, void* memory);
  int (*write)(Stream stream, void* to, const void* from, std::size_t bytes);
  int (*read)(Stream stream, void* to, const void* from, std::size_t bytes);
  const char* (*describe)(int code);
};

// Device memory of one call, given back in the stream's order.
class Scratch {
 public:
  Scratch(Backend& backend, Stream stream, std::size_t bytes)
      : backend_(backend), stream_(stream), memory_(backend.allocate(stream, bytes ? bytes : 1)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { backend_.release(stream_, memory_); }
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  Backend& backend_;
  Stream stream_;
  void* memory_;
};

}  // namespace proxstep::cuda
