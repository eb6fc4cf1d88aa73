// The border: a Python object becomes an Array, or an error that names it. NumPy arrays are read
// through their C struct; everything else speaks DLPack. Nothing is ever converted or copied.
#pragma once
#include <pybind11/pybind11.h>

#include "../array.hpp"
#include "../cuda/launch.hpp"
#include "dlpack_abi.hpp"

namespace proxstep::bind {

namespace py = pybind11;

// An array lent by Python. It gives a DLPack capsule back when it dies, which needs the GIL; a
// NumPy array's owner must outlive it.
class Borrowed {
 public:
  Borrowed() = default;
  Borrowed(Borrowed&& other) noexcept { *this = static_cast<Borrowed&&>(other); }
  Borrowed& operator=(Borrowed&& other) noexcept;
  ~Borrowed() { release(); }

  // Any array. dtype: what 16-bit integers stand for ("bfloat16", "float16"), or None.
  // like: an array beside which this one must lie and whose stream may read it.
  static Borrowed any(py::handle object, const char* name, py::handle dtype = py::none(),
                      const Borrowed* like = nullptr);
  // A dense floating-point array.
  static Borrowed floating(py::handle object, const char* name, py::handle dtype = py::none(),
                           const Borrowed* like = nullptr);
  // The same, and writable.
  static Borrowed output(py::handle object, const char* name, py::handle dtype = py::none(),
                         const Borrowed* like = nullptr);

  // The same for what a rule keeps beside x; 16-bit integers are the bits of bfloat16.
  static Borrowed moment(py::handle object, const char* name, const Borrowed& x);

  bool on_device() const { return array.device == Device::cuda; }

  const char* name = "";
  Array array;
  cuda::Stream stream;  // of a device

 private:
  void check_memory(py::handle object) const;
  void check_floating(py::handle object) const;
  void check_writable(py::handle object) const;
  void take_dlpack(py::handle object, const Borrowed* like);
  bool take_exchanged(py::handle object, const Borrowed* like);
  void hold(dlpack::ManagedVersioned* managed);
  void release() noexcept;
  dlpack::ManagedVersioned* versioned_ = nullptr;
  dlpack::Managed* legacy_ = nullptr;
};

}  // namespace proxstep::bind
