// The module proxstep._core: this file only lists.
#include <pybind11/pybind11.h>

#include <string>

#include "../cpu/kernels.hpp"
#include "bind.hpp"
#include "device.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  if (const char* missing = proxstep::cpu::missing_baseline_feature()) {
    throw pybind11::import_error(std::string("proxstep needs a processor with ") + missing +
                                 ", which this one lacks");
  }
  m.doc() = "The compiled core of proxstep.";
  m.attr("__version__") = PROXSTEP_VERSION;
  proxstep::bind::bind_config(m);
  proxstep::bind::bind_device(m);
  proxstep::bind::bind_step(m);
  proxstep::bind::bind_optimizer(m);
  proxstep::bind::bind_rows(m);
  proxstep::bind::bind_project(m);
  proxstep::bind::bind_loss(m);
  proxstep::bind::bind_margin_loss(m);
  proxstep::bind::bind_matrix(m);
  proxstep::bind::bind_descent(m);
  proxstep::bind::bind_many(m);
  proxstep::bind::bind_product(m);
  proxstep::bind::bind_rows_descent(m);
  proxstep::bind::bind_layers(m);
  proxstep::bind::bind_decode(m);
}
