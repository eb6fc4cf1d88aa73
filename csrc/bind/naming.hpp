// Runs a check of one array of many; its errors then say which.
#pragma once
#include <pybind11/pybind11.h>

#include <cstddef>
#include <string>

namespace proxstep::bind {

namespace py = pybind11;

template <class Check>
void naming(const char* list, std::size_t k, const Check& check) {
  const auto prefix = [&] { return std::string(list) + "[" + std::to_string(k) + "]: "; };
  try {
    check();
  } catch (const py::value_error& error) {
    throw py::value_error(prefix() + error.what());
  } catch (const py::type_error& error) {
    throw py::type_error(prefix() + error.what());
  }
}

}  // namespace proxstep::bind
