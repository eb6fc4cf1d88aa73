#include "messages.hpp"

#include <cstdint>

namespace proxstep::bind {
namespace {

std::string tuple_text(const std::int64_t* numbers, int count) {
  std::string text = "(";
  for (int d = 0; d < count; ++d) text += (d ? ", " : "") + std::to_string(numbers[d]);
  return text + (count == 1 ? ",)" : ")");
}

}  // namespace

const char* dtype_name(DType dtype) {
  static const char* const names[] = {"float64", "float32", "bfloat16", "float16",
                                      "int64",   "int32",   "uint16",   "other than those handled"};
  return names[static_cast<int>(dtype)];
}

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }
std::string number_text(double value) { return py::str(py::float_(value)).cast<std::string>(); }
std::string shape_text(const Array& a) { return tuple_text(a.shape, a.ndim); }
std::string strides_text(const Array& a) { return tuple_text(a.strides, a.ndim); }

}  // namespace proxstep::bind
