// The module's part of optimizers.
#include <pybind11/stl.h>

#include "bind.hpp"
#include "plan.hpp"

namespace proxstep::bind {

void bind_optimizer(py::module_& m) {
  py::class_<Plan>(m, "Plan", "Arrays, moments, rules and penalties of an optimizer.")
      .def(py::init<py::object, std::uint64_t, bool>(), py::arg("dtype") = py::none(),
           py::arg("seed") = 0, py::arg("stochastic") = false)
      .def("add_group", &Plan::add_group, py::arg("rule"), py::arg("euclidean"))
      .def("set_rule", &Plan::set_rule, py::arg("group"), py::arg("rule"))
      .def("add", &Plan::add, py::arg("group"), py::arg("x"), py::arg("moments"),
           py::arg("penalty"), py::arg("count") = py::none(), py::arg("master") = py::none(),
           py::arg("selection") = kNoSelection, py::arg("place") = py::none())
      .def("set_penalty", &Plan::set_penalty, py::arg("entry"), py::arg("penalty"))
      .def("set_rho", &Plan::set_rho, py::arg("entry"), py::arg("rho"))
      .def("taken", &Plan::taken, py::arg("entry"), py::arg("count"))
      .def("set_taken", &Plan::set_taken, py::arg("entry"), py::arg("taken"))
      .def("check_overlaps", &Plan::check_overlaps)
      .def("on_device", &Plan::on_device)
      .def("step", &Plan::step, py::arg("grads"), py::arg("t"), py::arg("lrs"),
           py::arg("grad_scale"), py::arg("max_norm"), py::arg("statistics"),
           py::arg("rates") = py::none(), py::arg("count") = py::none(),
           py::arg("keep") = py::list())
      .def("check", &Plan::check, py::arg("grads"), py::arg("grad_scale"), py::arg("keep"),
           py::arg("lrs") = std::vector<double>());
}

}  // namespace proxstep::bind
