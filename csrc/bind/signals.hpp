// Whether Ctrl-C was pressed while the GIL is released.
#pragma once
#include <pybind11/pybind11.h>

#include <chrono>

namespace proxstep::bind {

namespace py = pybind11;

// Asks Python for signals now and then: the GIL costs more than an epoch may.
class Signals {
 public:
  bool raised() {
    const auto now = std::chrono::steady_clock::now();
    if (raised_ || now - asked_ < std::chrono::milliseconds(50)) return raised_;
    asked_ = now;
    py::gil_scoped_acquire held;
    return raised_ = PyErr_CheckSignals() != 0;
  }

 private:
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  bool raised_ = false;
};

}  // namespace proxstep::bind
