#include "tensor.hpp"

#include <pybind11/numpy.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "device.hpp"

namespace proxstep::bind {
namespace {

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

[[noreturn]] void refuse_value(const std::string& message) { throw py::value_error(message); }
[[noreturn]] void refuse_type(const std::string& message) { throw py::type_error(message); }

template <class Number>
std::string tuple_text(const Number* numbers, int count) {
  std::string text = "(";
  for (int d = 0; d < count; ++d) text += (d ? ", " : "") + std::to_string(numbers[d]);
  return text + (count == 1 ? ",)" : ")");
}

// ---- NumPy

// ml_dtypes registers bfloat16 with a number of its own, learnt from the first array that bears it.
bool is_numpy_bfloat16(const py::array& a, int number) {
  static std::atomic<int> known{-1};
  if (number == known.load(std::memory_order_relaxed)) return true;
  if (number < 256 || py::str(a.dtype().attr("name")).cast<std::string>() != "bfloat16")
    return false;
  known.store(number, std::memory_order_relaxed);
  return true;
}

DType numpy_dtype(const py::array& a, const char* name) {
  const py::dtype dtype = a.dtype();
  const char order = dtype.byteorder();
  if (order == '>') refuse_type(std::string(name) + " has big-endian bytes; native is needed");
  const int number = dtype.num();
  switch (number) {
    case 12:
      return DType::float64;
    case 11:
      return DType::float32;
    case 23:
      return DType::float16;
    case 4:
      return DType::uint16;
    default:
      break;
  }
  if (dtype.kind() == 'i' && dtype.itemsize() == 8) return DType::int64;
  if (dtype.kind() == 'i' && dtype.itemsize() == 4) return DType::int32;
  return is_numpy_bfloat16(a, number) ? DType::bfloat16 : DType::other;
}

void read_numpy(py::handle object, const char* name, Array* to) {
  const auto a = py::reinterpret_borrow<py::array>(object);
  to->dtype = numpy_dtype(a, name);
  to->ndim = static_cast<int>(a.ndim());
  if (to->ndim > kMaxDim) {
    refuse_value(std::string(name) + " has " + std::to_string(to->ndim) + " dimensions; at most " +
                 std::to_string(kMaxDim) + " are handled");
  }
  to->data = const_cast<void*>(a.data());
  to->readonly = !a.writeable();
  const py::ssize_t size = std::max<py::ssize_t>(1, a.itemsize());
  for (int d = 0; d < to->ndim; ++d) {
    to->shape[d] = a.shape(d);
    to->strides[d] = a.strides(d) / size;
    if (a.strides(d) % size != 0) refuse_value(std::string(name) + " has strides that cut items");
  }
}

// ---- DLPack

DType dlpack_dtype(dlpack::DataType t) {
  if (t.lanes != 1) return DType::other;
  if (t.code == dlpack::kFloat && t.bits == 64) return DType::float64;
  if (t.code == dlpack::kFloat && t.bits == 32) return DType::float32;
  if (t.code == dlpack::kFloat && t.bits == 16) return DType::float16;
  if (t.code == dlpack::kBfloat && t.bits == 16) return DType::bfloat16;
  if (t.code == dlpack::kInt && t.bits == 64) return DType::int64;
  if (t.code == dlpack::kInt && t.bits == 32) return DType::int32;
  if (t.code == dlpack::kUInt && t.bits == 16) return DType::uint16;
  return DType::other;
}

Device dlpack_device(dlpack::Device d) {
  if (d.type == dlpack::kCPU || d.type == dlpack::kCUDAHost) return Device::cpu;
  return d.type == dlpack::kCUDA || d.type == dlpack::kCUDAManaged ? Device::cuda : Device::other;
}

void read_dlpack(const dlpack::Tensor& t, const char* name, Array* to) {
  if (t.ndim > kMaxDim) refuse_value(std::string(name) + " has too many dimensions");
  to->data = static_cast<char*>(t.data) + t.byte_offset;
  to->dtype = dlpack_dtype(t.dtype);
  to->device = dlpack_device(t.device);
  to->device_id = t.device.id;
  to->ndim = t.ndim;
  std::int64_t dense = 1;
  for (int d = t.ndim - 1; d >= 0; --d) {
    to->shape[d] = t.shape[d];
    to->strides[d] = t.strides ? t.strides[d] : dense;
    dense *= t.shape[d];
  }
}

// DLPack has no word for torch's lazily negated views.
void check_not_negated(py::handle object, const char* name) {
  if (py::hasattr(object, "is_neg") && object.attr("is_neg")().cast<bool>()) {
    refuse_value(std::string(name) + " is a lazily negated view; call its resolve_neg() first");
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
    refuse_type(std::string(name) +
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

// ---- place

std::string place_text(const Array& a) {
  if (a.device == Device::cpu) return "CPU memory";
  if (a.device == Device::other) return "the memory of a device that is not CUDA's";
  return "CUDA memory of device " + std::to_string(a.device_id);
}

// ---- layout

bool follows_strides(const Array& a, bool last_fastest) {
  std::int64_t stride = 1;
  for (int k = 0; k < a.ndim; ++k) {
    const int d = last_fastest ? a.ndim - 1 - k : k;
    if (a.shape[d] != 1 && a.strides[d] != stride) return a.size() == 0;
    stride *= a.shape[d];
  }
  return true;
}

// Dense: some order of the dimensions makes it contiguous.
bool is_dense(const Array& a) {
  if (is_c_order(a) || is_f_order(a)) return true;
  std::vector<std::pair<std::int64_t, std::int64_t>> axes;  // stride, extent
  for (int d = 0; d < a.ndim; ++d) {
    if (a.shape[d] != 1) axes.emplace_back(a.strides[d], a.shape[d]);
  }
  std::sort(axes.begin(), axes.end());
  std::int64_t dense = 1;
  for (const auto& [stride, extent] : axes) {
    if (stride != dense) return false;
    dense *= extent;
  }
  return true;
}

std::string layout_text(const Array& a) {
  return "shape " + shape_text(a) + " and strides " + tuple_text(a.strides, a.ndim);
}

// As its library calls it.
std::string dtype_text(py::handle object) { return py::str(object.attr("dtype")); }

// What a caller's dtype argument makes of 16-bit integers.
DType named_dtype(const Borrowed& b, py::handle dtype) {
  if (dtype.is_none()) return b.array.dtype;
  const std::string wanted = py::str(dtype);
  const DType as = wanted == "bfloat16"  ? DType::bfloat16
                   : wanted == "float16" ? DType::float16
                                         : DType::other;
  if (as == DType::other) {
    refuse_value("dtype is '" + wanted + "'; 16-bit integers can stand for bfloat16 or float16");
  }
  return b.array.dtype == DType::uint16 ? as : b.array.dtype;
}

}  // namespace

Borrowed& Borrowed::operator=(Borrowed&& other) noexcept {
  release();
  name = other.name;
  array = other.array;
  stream = other.stream;
  versioned_ = std::exchange(other.versioned_, nullptr);
  legacy_ = std::exchange(other.legacy_, nullptr);
  return *this;
}

void Borrowed::release() noexcept {
  if (versioned_ && versioned_->deleter) versioned_->deleter(versioned_);
  if (legacy_ && legacy_->deleter) legacy_->deleter(legacy_);
  versioned_ = nullptr;
  legacy_ = nullptr;
}

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
  if (exchange->lend(object.ptr(), &managed)) throw py::error_already_set();
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

Borrowed Borrowed::any(py::handle object, const char* name, py::handle dtype,
                       const Borrowed* like) {
  Borrowed b;
  b.name = name;
  if (py::isinstance<py::array>(object)) {
    read_numpy(object, name, &b.array);
  } else {
    b.take_dlpack(object, like);
  }
  b.array.dtype = named_dtype(b, dtype);
  check_place(b, like);
  return b;
}

Borrowed Borrowed::floating(py::handle object, const char* name, py::handle dtype,
                            const Borrowed* like) {
  Borrowed b = any(object, name, dtype, like);
  if (!is_floating(b.array.dtype)) {
    const char* hint =
        b.array.dtype == DType::uint16 ? " (pass dtype=\"bfloat16\" for its bits)" : "";
    refuse_type(std::string(name) + " has dtype " + dtype_text(object) +
                "; float64, float32, bfloat16 or float16 is needed" + hint);
  }
  if (!is_dense(b.array)) {
    refuse_value(std::string(name) + " is not dense: " + layout_text(b.array) + " in elements");
  }
  if (reinterpret_cast<std::uintptr_t>(b.array.data) % itemsize(b.array.dtype) != 0) {
    refuse_value(std::string(name) + " is not aligned to its items");
  }
  return b;
}

Borrowed Borrowed::output(py::handle object, const char* name, py::handle dtype,
                          const Borrowed* like) {
  Borrowed b = floating(object, name, dtype, like);
  if (b.array.readonly) {
    refuse_value(std::string(name) + " is read-only, or its library cannot promise otherwise (" +
                 type_name(object) + ")");
  }
  return b;
}

const char* dtype_name(DType dtype) {
  static const char* const names[] = {"float64", "float32", "bfloat16", "float16",
                                      "int64",   "int32",   "uint16",   "other than those handled"};
  return names[static_cast<int>(dtype)];
}

std::string number_text(double value) { return py::str(py::float_(value)).cast<std::string>(); }

bool fits(double value, DType dtype) {
  return std::isfinite(compute_type(dtype) == DType::float64 ? value : static_cast<float>(value));
}

std::string shape_text(const Array& a) { return tuple_text(a.shape, a.ndim); }
bool is_c_order(const Array& a) { return follows_strides(a, true); }
bool is_f_order(const Array& a) { return follows_strides(a, false); }

void check_place(const Borrowed& b, const Borrowed* like) {
  if (b.array.device == Device::other) {
    refuse_value(std::string(b.name) + " is in " + place_text(b.array) +
                 "; CPU and CUDA memory are handled");
  }
  if (!like) return;
  const bool same = b.array.device == like->array.device &&
                    (!b.on_device() || b.array.device_id == like->array.device_id);
  if (!same) {
    refuse_value(std::string(b.name) + " is in " + place_text(b.array) + ", " + like->name +
                 " in " + place_text(like->array));
  }
}

void check_cpu(const Borrowed& b, const char* what) {
  if (b.on_device()) refuse_value(std::string(b.name) + " is in CUDA memory; " + what);
}

void check_same_shape(const Borrowed& b, const Borrowed& like) {
  const bool same_shape = b.array.ndim == like.array.ndim &&
                          std::equal(b.array.shape, b.array.shape + b.array.ndim, like.array.shape);
  if (!same_shape) {
    refuse_value(std::string(b.name) + " has shape " + shape_text(b.array) + ", " + like.name +
                 " has shape " + shape_text(like.array));
  }
  for (int d = 0; d < b.array.ndim && b.array.size(); ++d) {
    if (b.array.shape[d] != 1 && b.array.strides[d] != like.array.strides[d]) {
      refuse_value(std::string(b.name) + " has strides " +
                   tuple_text(b.array.strides, b.array.ndim) + ", " + like.name + " has strides " +
                   tuple_text(like.array.strides, like.array.ndim) + "; one layout is needed");
    }
  }
}

void check_dtype(const Borrowed& b, DType wanted, const Borrowed& like) {
  if (b.array.dtype == wanted) return;
  refuse_type(std::string(b.name) + " has dtype " + dtype_name(b.array.dtype) + ", " +
              dtype_name(wanted) + " is needed beside " + like.name + " of " +
              dtype_name(like.array.dtype));
}
void check_same_dtype(const Borrowed& b, const Borrowed& like) {
  check_dtype(b, like.array.dtype, like);
}

bool overlaps(const Array& a, const Array& b) {
  if (a.size() == 0 || b.size() == 0) return false;
  const auto begin_a = reinterpret_cast<std::uintptr_t>(a.data);
  const auto begin_b = reinterpret_cast<std::uintptr_t>(b.data);
  return begin_a < begin_b + b.size() * itemsize(b.dtype) &&
         begin_b < begin_a + a.size() * itemsize(a.dtype);
}

void check_no_overlap(const Borrowed& a, const Borrowed& b) {
  if (overlaps(a.array, b.array)) {
    refuse_value(std::string(a.name) + " and " + b.name + " overlap in memory");
  }
}

void check_same_or_apart(const Borrowed& out, const Borrowed& in) {
  if (out.array.data != in.array.data) check_no_overlap(out, in);
}

}  // namespace proxstep::bind
