#include "checks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "messages.hpp"

namespace proxstep::bind {
namespace {

std::string place_text(const Array& a) {
  if (a.device == Device::cpu) return "CPU memory";
  if (a.device == Device::other) return "the memory of a device that is not CUDA's";
  return "CUDA memory of device " + std::to_string(a.device_id);
}

}  // namespace

bool fits(double value, DType dtype) {
  return std::isfinite(compute_type(dtype) == DType::float64 ? value : static_cast<float>(value));
}

void check_place(const Borrowed& b, const Borrowed* like) {
  if (b.array.device == Device::other) {
    throw py::value_error(std::string(b.name) + " is in " + place_text(b.array) +
                          "; CPU and CUDA memory are handled");
  }
  if (!like) return;
  const bool same = b.array.device == like->array.device &&
                    (!b.on_device() || b.array.device_id == like->array.device_id);
  if (!same) {
    throw py::value_error(std::string(b.name) + " is in " + place_text(b.array) + ", " +
                          like->name + " in " + place_text(like->array));
  }
}

void check_same_shape(const Borrowed& b, const Borrowed& like) {
  const bool same_shape = b.array.ndim == like.array.ndim &&
                          std::equal(b.array.shape, b.array.shape + b.array.ndim, like.array.shape);
  if (!same_shape) {
    throw py::value_error(std::string(b.name) + " has shape " + shape_text(b.array) + ", " +
                          like.name + " has shape " + shape_text(like.array));
  }
  for (int d = 0; d < b.array.ndim && b.array.size(); ++d) {
    if (b.array.shape[d] != 1 && b.array.strides[d] != like.array.strides[d]) {
      throw py::value_error(std::string(b.name) + " has strides " + strides_text(b.array) + ", " +
                            like.name + " has strides " + strides_text(like.array) +
                            "; one layout is needed");
    }
  }
}

void check_dtype(const Borrowed& b, DType wanted, const Borrowed& like) {
  if (b.array.dtype == wanted) return;
  throw py::type_error(std::string(b.name) + " has dtype " + dtype_name(b.array.dtype) + ", " +
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
    throw py::value_error(std::string(a.name) + " and " + b.name + " overlap in memory");
  }
}

void check_same_or_apart(const Borrowed& out, const Borrowed& in) {
  if (out.array.data != in.array.data) check_no_overlap(out, in);
}

}  // namespace proxstep::bind
