// Whether Ctrl-C was pressed, or the caller wants a stop, while the GIL is released.
#pragma once
#include <pybind11/pybind11.h>

#include <chrono>
#include <utility>

namespace proxstep::bind {

namespace py = pybind11;

// Asks Python for signals now and then: the GIL costs more than an epoch may.
class Signals {
 public:
  explicit Signals(py::object stop) : stop_(std::move(stop)) {}  // None, or asked beside signals

  bool raised() {
    const auto now = std::chrono::steady_clock::now();
    if (raised_ || now - asked_ < std::chrono::milliseconds(50)) return raised_;
    asked_ = now;
    py::gil_scoped_acquire held;
    return raised_ = PyErr_CheckSignals() != 0 || wanted();
  }

 private:
  // An error of the callable stays set, as one of a signal does.
  bool wanted() const {
    if (stop_.is_none()) return false;
    PyObject* const answer = PyObject_CallNoArgs(stop_.ptr());
    const int yes = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return yes != 0;
  }

  py::object stop_;
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  bool raised_ = false;
};

}  // namespace proxstep::bind
