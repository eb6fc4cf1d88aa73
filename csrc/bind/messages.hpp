// The words in which errors speak of arrays and numbers.
#pragma once
#include <pybind11/pybind11.h>

#include <string>

#include "../array.hpp"

namespace proxstep::bind {

namespace py = pybind11;

const char* dtype_name(DType dtype);
std::string type_name(py::handle object);
std::string number_text(double value);
std::string shape_text(const Array& a);
std::string strides_text(const Array& a);

}  // namespace proxstep::bind
