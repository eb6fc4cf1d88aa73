// What serves arrays in CUDA memory: a backend that Python brings when the first one arrives.
#pragma once
#include <pybind11/pybind11.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>

#include "../cuda/launch.hpp"

namespace proxstep::bind {

namespace py = pybind11;

// The backend; on the first call Python is asked for one, and raises where there is none.
cuda::Backend& backend();

// What this thread was told to work on, instead of the current streams of the arrays' libraries.
std::optional<std::uintptr_t> chosen_stream();

// That, or the stream that the library of an array works on now.
cuda::Stream current_stream(py::handle array, int device);

// Copies of settings in devices' memory, one a device, which every stream can read. Copying starts
// anew.
class DeviceCopies {
 public:
  DeviceCopies() = default;
  DeviceCopies(const DeviceCopies&) {}
  DeviceCopies& operator=(const DeviceCopies&) { return *this; }
  ~DeviceCopies();
  const void* on(cuda::Stream stream, const void* from, std::size_t bytes) const;

 private:
  struct Copy {
    cuda::Backend* owner;
    void* memory;
  };
  const void* find(int device) const;
  const void* keep(cuda::Stream stream, Copy copy) const;

  mutable std::mutex mutex_;
  mutable std::map<int, Copy> copies_;
};

void bind_device(py::module_& m);

}  // namespace proxstep::bind
