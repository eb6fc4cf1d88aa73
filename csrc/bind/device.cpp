#include "device.hpp"

#include <pybind11/stl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace proxstep::bind {
namespace {

// Another module's functions, handed over in a capsule.
class NativeBackend : public cuda::Backend {
 public:
  explicit NativeBackend(py::capsule capsule)
      : capsule_(std::move(capsule)),
        functions_(*static_cast<const cuda::Functions*>(
            PyCapsule_GetPointer(capsule_.ptr(), PROXSTEP_CUDA_CAPSULE))) {}

  void launch(cuda::Stream stream, const cuda::Launch& launch) override {
    const char* const kernel = launch.kernel.c_str();
    check(functions_.launch(stream, kernel, launch.blocks, launch.argument), kernel);
  }
  void* allocate(cuda::Stream stream, std::size_t bytes) override {
    void* memory = nullptr;
    check(functions_.allocate(stream, bytes, &memory), std::to_string(bytes) + " bytes");
    return memory;
  }
  void release(cuda::Stream stream, void* memory) noexcept override {
    functions_.release(stream, memory);
  }
  void discard(int device, void* memory) noexcept override { functions_.discard(device, memory); }
  void write(cuda::Stream stream, void* to, const void* from, std::size_t bytes) override {
    check(functions_.write(stream, to, from, bytes), "copying to the device");
  }
  void read(cuda::Stream stream, void* to, const void* from, std::size_t bytes) override {
    check(functions_.read(stream, to, from, bytes), "copying from the device");
  }

 private:
  void check(int code, const std::string& what) const {
    if (code) throw cuda::Error("CUDA: " + what + ": " + functions_.describe(code));
  }
  py::capsule capsule_;
  const cuda::Functions& functions_;
};

std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

// An object of Python with the same methods; addresses and streams are integers.
class PythonBackend : public cuda::Backend {
 public:
  explicit PythonBackend(py::object object) : object_(std::move(object)) {}

  void launch(cuda::Stream stream, const cuda::Launch& launch) override {
    const py::gil_scoped_acquire gil;
    object_.attr("launch")(stream.device, stream.handle, launch.kernel, launch.blocks,
                           address(launch.argument));
  }
  void* allocate(cuda::Stream stream, std::size_t bytes) override {
    const py::gil_scoped_acquire gil;
    const py::object memory = object_.attr("allocate")(stream.device, stream.handle, bytes);
    return reinterpret_cast<void*>(memory.cast<std::uintptr_t>());
  }
  void release(cuda::Stream stream, void* memory) noexcept override {
    quietly([&] { object_.attr("release")(stream.device, stream.handle, address(memory)); });
  }
  void discard(int device, void* memory) noexcept override {
    quietly([&] { object_.attr("discard")(device, address(memory)); });
  }
  void write(cuda::Stream stream, void* to, const void* from, std::size_t bytes) override {
    const py::gil_scoped_acquire gil;
    object_.attr("write")(stream.device, stream.handle, address(to), address(from), bytes);
  }
  void read(cuda::Stream stream, void* to, const void* from, std::size_t bytes) override {
    const py::gil_scoped_acquire gil;
    object_.attr("read")(stream.device, stream.handle, address(to), address(from), bytes);
  }

 private:
  // For what cannot raise: the interpreter reports the error.
  template <class Call>
  static void quietly(const Call& call) noexcept {
    const py::gil_scoped_acquire gil;
    try {
      call();
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("proxstep");
    }
  }
  py::object object_;
};

// Lives until the process ends: arrays of any thread may still need it.
cuda::Backend*& held_backend() {
  static cuda::Backend* held = nullptr;
  return held;
}

cuda::Backend* make_backend(const py::object& brought) {
  if (!PyCapsule_CheckExact(brought.ptr())) return new PythonBackend(brought);
  if (!PyCapsule_IsValid(brought.ptr(), PROXSTEP_CUDA_CAPSULE)) {
    throw py::import_error("proxstep._cuda is of another version than proxstep._core");
  }
  return new NativeBackend(py::reinterpret_borrow<py::capsule>(brought));
}

pid_t& pid_of_backend() {
  static pid_t pid = 0;
  return pid;
}

void set_backend(const py::object& brought) {
  held_backend() = make_backend(brought);
  pid_of_backend() = getpid();
}

py::object cuda_module() { return py::module_::import("proxstep.cuda"); }

}  // namespace

cuda::Backend& backend() {
  if (!held_backend()) {
    const py::object brought = cuda_module().attr("_backend")();
    if (!held_backend()) set_backend(brought);  // another thread may have been faster
  }
  if (pid_of_backend() != getpid()) {
    throw cuda::Error(
        "CUDA cannot be used in a process that was forked after it was used; start workers with "
        "the spawn method");
  }
  return *held_backend();
}

namespace {
thread_local std::optional<std::uintptr_t> stream_of_thread;
}  // namespace

std::optional<std::uintptr_t> chosen_stream() { return stream_of_thread; }

cuda::Stream current_stream(py::handle array, int device) {
  if (stream_of_thread) return {device, *stream_of_thread};
  const py::object handle = cuda_module().attr("_current_stream")(array, device);
  return {device, handle.cast<std::uintptr_t>()};
}

// The lock is not held while others run: they may need the GIL, or let it go.
const void* DeviceCopies::on(cuda::Stream stream, const void* from, std::size_t bytes) const {
  cuda::Backend& serves = backend();
  if (const void* held = find(stream.device)) return held;
  void* memory = nullptr;
  {
    py::gil_scoped_release released;
    memory = serves.allocate(stream, std::max<std::size_t>(bytes, 1));
    try {
      serves.write(stream, memory, from, bytes);
    } catch (...) {
      serves.release(stream, memory);
      throw;
    }
  }
  return keep(stream, {&serves, memory});
}

const void* DeviceCopies::find(int device) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto held = copies_.find(device);
  return held == copies_.end() ? nullptr : held->second.memory;
}

// Of two threads that copied at once the first one's copy stays.
const void* DeviceCopies::keep(cuda::Stream stream, Copy copy) const {
  const void* kept = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    kept = copies_.emplace(stream.device, copy).first->second.memory;
  }
  if (kept != copy.memory) copy.owner->release(stream, copy.memory);
  return kept;
}

DeviceCopies::~DeviceCopies() {
  for (const auto& [device, copy] : copies_) copy.owner->discard(device, copy.memory);
}

void bind_device(py::module_& m) {
  py::register_exception<cuda::Error>(m, "CudaError", PyExc_RuntimeError);
  m.def("set_cuda_backend", &set_backend, py::arg("backend"),
        "For tests: what serves from now on.");
  m.def("chosen_stream", &chosen_stream);
  m.def(
      "choose_stream", [](std::optional<std::uintptr_t> handle) { stream_of_thread = handle; },
      py::arg("handle"));
}

}  // namespace proxstep::bind
