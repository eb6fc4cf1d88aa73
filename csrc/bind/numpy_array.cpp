#include "numpy_array.hpp"

#include <pybind11/numpy.h>

#include <algorithm>
#include <atomic>
#include <string>

namespace proxstep::bind {

namespace py = pybind11;

namespace {

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
  if (dtype.byteorder() == '>') {
    throw py::type_error(std::string(name) + " has big-endian bytes; native is needed");
  }
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

}  // namespace

bool read_numpy(py::handle object, const char* name, Array* to) {
  if (!py::isinstance<py::array>(object)) return false;
  const auto a = py::reinterpret_borrow<py::array>(object);
  to->dtype = numpy_dtype(a, name);
  to->ndim = static_cast<int>(a.ndim());
  if (to->ndim > kMaxDim) {
    throw py::value_error(std::string(name) + " has " + std::to_string(to->ndim) +
                          " dimensions; at most " + std::to_string(kMaxDim) + " are handled");
  }
  to->data = const_cast<void*>(a.data());
  to->readonly = !a.writeable();
  const py::ssize_t size = std::max<py::ssize_t>(1, a.itemsize());
  for (int d = 0; d < to->ndim; ++d) {
    to->shape[d] = a.shape(d);
    to->strides[d] = a.strides(d) / size;
    if (a.strides(d) % size != 0) {
      throw py::value_error(std::string(name) + " has strides that cut items");
    }
  }
  return true;
}

}  // namespace proxstep::bind
