#include "borrowed.hpp"

#include <cstdint>
#include <string>
#include <utility>

#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"
#include "numpy_array.hpp"

namespace proxstep::bind {
namespace {

std::string layout_text(const Array& a) {
  return "shape " + shape_text(a) + " and strides " + strides_text(a);
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
    throw py::value_error("dtype is '" + wanted +
                          "'; 16-bit integers can stand for bfloat16 or float16");
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

Borrowed Borrowed::any(py::handle object, const char* name, py::handle dtype,
                       const Borrowed* like) {
  Borrowed b;
  b.name = name;
  if (!read_numpy(object, name, &b.array)) b.take_dlpack(object, like);
  b.array.dtype = named_dtype(b, dtype);
  check_place(b, like);
  b.check_memory(object);
  return b;
}

Borrowed Borrowed::floating(py::handle object, const char* name, py::handle dtype,
                            const Borrowed* like) {
  Borrowed b = any(object, name, dtype, like);
  b.check_floating(object);
  return b;
}

Borrowed Borrowed::output(py::handle object, const char* name, py::handle dtype,
                          const Borrowed* like) {
  Borrowed b = floating(object, name, dtype, like);
  b.check_writable(object);
  return b;
}

Borrowed Borrowed::moment(py::handle object, const char* name, const Borrowed& x) {
  Borrowed b = any(object, name, py::none(), &x);
  if (b.array.dtype == DType::uint16) b.array.dtype = DType::bfloat16;
  b.check_floating(object);
  b.check_writable(object);
  return b;
}

// torch lends wrappers of other tensors, DTensors too, and freed storages with their size.
void Borrowed::check_memory(py::handle object) const {
  if (!array.data && array.size()) {
    throw py::value_error(std::string(name) + " of shape " + shape_text(array) +
                          " has no memory (" + type_name(object) + ")");
  }
}

void Borrowed::check_floating(py::handle object) const {
  if (!is_floating(array.dtype)) {
    const char* hint =
        array.dtype == DType::uint16 ? " (pass dtype=\"bfloat16\" for its bits)" : "";
    throw py::type_error(std::string(name) + " has dtype " + dtype_text(object) +
                         "; float64, float32, bfloat16 or float16 is needed" + hint);
  }
  if (!is_dense(array)) {
    throw py::value_error(std::string(name) + " is not dense: " + layout_text(array) +
                          " in elements");
  }
  if (reinterpret_cast<std::uintptr_t>(array.data) % itemsize(array.dtype) != 0) {
    throw py::value_error(std::string(name) + " is not aligned to its items");
  }
}

void Borrowed::check_writable(py::handle object) const {
  if (array.readonly) {
    throw py::value_error(std::string(name) +
                          " is read-only, or its library cannot promise otherwise (" +
                          type_name(object) + ")");
  }
}

}  // namespace proxstep::bind
