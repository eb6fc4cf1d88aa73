// Instruction sets, threads, and the names of what the core can do.
#include <pybind11/stl.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "../cpu/kernels.hpp"
#include "../cpu/pool.hpp"
#include "../cpu/registry.hpp"
#include "bind.hpp"

namespace proxstep::bind {
namespace {

namespace py = pybind11;

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (auto name = cpu::available_isas(); *name; ++name) names.emplace_back(*name);
  return names;
}

void set_isa(const std::string& name) {
  if (cpu::set_isa(name.c_str())) return;
  std::string known;
  for (const std::string& isa : isas()) known += (known.empty() ? "" : ", ") + isa;
  throw py::value_error("instruction set '" + name + "' is not among " + known);
}

void obey_environment() {
  if (const char* name = std::getenv("PROXSTEP_ISA")) {
    try {
      set_isa(name);
    } catch (const py::value_error& error) {
      throw py::import_error(std::string("PROXSTEP_ISA: ") + error.what());
    }
  }
}

void set_num_threads(int n) {
  if (n < 0) throw py::value_error("n is " + std::to_string(n) + "; it must not be negative");
  cpu::set_num_threads(n);
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (int k = 0; k < cpu::rule_count(); ++k) names.emplace_back(cpu::rule_info(k).name);
  return names;
}

std::vector<std::string> penalty_names() {
  std::vector<std::string> names;
  for (int k = 0; k < cpu::penalty_count(); ++k) names.emplace_back(cpu::penalty_info(k).name);
  return names;
}

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (int k = 0; k < cpu::loss_count(); ++k) names.emplace_back(cpu::loss_info(k).name);
  return names;
}

}  // namespace

void bind_config(py::module_& m) {
  obey_environment();
  m.attr("cuda_status") = PROXSTEP_CUDA_STATUS;
  m.def("isa", &cpu::isa, "The instruction set in use.");
  m.def("isas", &isas, "Those this processor has, best first.");
  m.def("set_isa", &set_isa, py::arg("name"));
  m.def("get_num_threads", &cpu::num_threads);
  m.def("set_num_threads", &set_num_threads, py::arg("n"));
  m.def("stay_serial", &cpu::stay_serial);
  m.def("rule_names", &rule_names);
  m.def("penalty_names", &penalty_names);
  m.def("loss_names", &loss_names, "Those of one margin a row.");
}

}  // namespace proxstep::bind
