// The module proxstep._cuda: compiled kernels and what launches them. It can be imported where
// there is no driver.
#include <pybind11/pybind11.h>

#include "../cuda/functions.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_cuda, m, py::mod_gil_not_used()) {
  m.doc() = "The compiled CUDA kernels of proxstep.";
  m.attr("architectures") = PROXSTEP_CUDA_ARCHITECTURES;
  m.attr("functions") = py::capsule(&proxstep::cuda::native_functions(), PROXSTEP_CUDA_CAPSULE);
  m.def("devices", [] {
    const char* problem = "";
    const int count = proxstep::cuda::device_count(&problem);
    return py::make_tuple(count, problem);
  });
}
