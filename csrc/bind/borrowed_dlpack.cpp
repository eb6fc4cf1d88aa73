// How a Borrowed takes what speaks DLPack: by C functions where its type has them, else by
// __dlpack__. An array in CUDA memory comes with the stream on which it may be read.
#include <string>
#include <utility>

#include "borrowed.hpp"
#include "device.hpp"
#include "dlpack_tensor.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

// DLPack has no word for torch's lazily negated views.
void check_not_negated(py::handle object, const char* name) {
  if (py::hasattr(object, "is_neg") && object.attr("is_neg")().cast<bool>()) {
    throw py::value_error(std::string(name) +
                          " is a lazily negated view; call its resolve_neg() first");
  }
}

// torch refuses to lend a tensor that requires a gradient; its detached view is the same memory.
py::object without_autograd(py::handle object, const char* name) {
  if (!py::hasattr(object, "detach") || !py::hasattr(object, "requires_grad")) {
    return py::reinterpret_borrow<py::object>(object);
  }
  check_not_negated(object, name);
  return object.attr("detach")();
}

// What its library says when it lends no array, without the trace that torch appends.
[[noreturn]] void refuse_to_borrow(const char* name) {
  const py::error_already_set error;
  if (!error.matches(PyExc_RuntimeError) && !error.matches(PyExc_BufferError)) throw error;
  const std::string why = py::str(error.value());
  throw py::value_error(std::string(name) + " cannot be lent: " + why.substr(0, why.find('\n')));
}

// The C functions by which arrays of the object's type are lent, or null. The last type is
// remembered, and kept alive so that its address stays its own.
const dlpack::Exchange* exchange_of(py::handle object) {
  thread_local PyTypeObject* known = nullptr;
  thread_local const dlpack::Exchange* exchange = nullptr;
  PyTypeObject* const type = Py_TYPE(object.ptr());
  if (type == known) return exchange;
  exchange = nullptr;
  const py::handle type_object(reinterpret_cast<PyObject*>(type));
  const py::object held = py::getattr(type_object, "__dlpack_c_exchange_api__", py::none());
  if (PyCapsule_IsValid(held.ptr(), "dlpack_exchange_api")) {
    const auto* given = static_cast<const dlpack::Exchange*>(
        PyCapsule_GetPointer(held.ptr(), "dlpack_exchange_api"));
    if (given->header.version.major == 1) exchange = given;
  }
  Py_INCREF(reinterpret_cast<PyObject*>(type));
  Py_XDECREF(reinterpret_cast<PyObject*>(known));
  known = type;
  return exchange;
}

// An array in CUDA memory is read on the stream of the call: the array's library then sees to it
// that its own work comes first. DLPack calls the default stream 1.
py::dict dlpack_options(const py::object& lender, const Borrowed* like, cuda::Stream* stream) {
  py::dict options;
  options["max_version"] = py::make_tuple(1, 3);
  const auto device = lender.attr("__dlpack_device__")().cast<std::pair<int, int>>();
  if (dlpack_device({device.first, device.second}) != Device::cuda) return options;
  *stream = like && like->on_device() ? like->stream : current_stream(lender, device.second);
  options["stream"] = stream->handle ? stream->handle : 1;
  return options;
}

py::object dlpack_capsule(py::handle object, const char* name, const Borrowed* like,
                          cuda::Stream* stream) {
  if (!py::hasattr(object, "__dlpack__")) {
    throw py::type_error(std::string(name) +
                         " must be an array (NumPy, CuPy, torch or any that speaks DLPack), got " +
                         type_name(object));
  }
  const py::object lender = without_autograd(object, name);
  py::dict options = dlpack_options(lender, like, stream);
  try {
    return lender.attr("__dlpack__")(**options);
  } catch (py::error_already_set& error) {  // a library older than array API 2023.12
    if (!error.matches(PyExc_TypeError)) throw;
  }
  options.attr("pop")("max_version");
  return lender.attr("__dlpack__")(**options);
}

}  // namespace

void Borrowed::hold(dlpack::ManagedVersioned* managed) {
  versioned_ = managed;
  read_dlpack(managed->tensor, name, &array);
  array.readonly = managed->flags & (dlpack::kReadOnly | dlpack::kIsCopied);
}

// A call of C instead of several of Python. False where the array's library works on another
// stream than the call: only __dlpack__ makes one wait for the other.
bool Borrowed::take_exchanged(py::handle object, const Borrowed* like) {
  const dlpack::Exchange* const exchange = exchange_of(object);
  if (!exchange) return false;
  check_not_negated(object, name);
  dlpack::ManagedVersioned* managed = nullptr;
  if (exchange->lend(object.ptr(), &managed)) refuse_to_borrow(name);
  hold(managed);
  if (!on_device()) return true;
  const dlpack::Device device = managed->tensor.device;
  void* current = nullptr;
  if (exchange->current_stream(device.type, device.id, &current)) throw py::error_already_set();
  stream = {device.id, reinterpret_cast<std::uintptr_t>(current)};
  const std::uintptr_t wanted =
      like && like->on_device() ? like->stream.handle : chosen_stream().value_or(stream.handle);
  if (wanted == stream.handle) return true;
  release();
  return false;
}

void Borrowed::take_dlpack(py::handle object, const Borrowed* like) {
  if (take_exchanged(object, like)) return;
  const py::object capsule = dlpack_capsule(object, name, like, &stream);
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto* managed = static_cast<dlpack::ManagedVersioned*>(
        PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    if (managed->version.major != 1) {
      throw py::buffer_error(std::string(name) + " speaks DLPack " +
                             std::to_string(managed->version.major) + ", version 1 is needed");
    }
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    hold(managed);
  } else if (PyCapsule_IsValid(capsule.ptr(), "dltensor")) {
    auto* managed = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    PyCapsule_SetName(capsule.ptr(), "used_dltensor");
    legacy_ = managed;
    read_dlpack(managed->tensor, name, &array);
    array.readonly = true;  // no flag tells; JAX arrays must never be written
  } else {
    throw py::buffer_error(std::string(name) + ": __dlpack__ gave no DLPack capsule");
  }
}

}  // namespace proxstep::bind
