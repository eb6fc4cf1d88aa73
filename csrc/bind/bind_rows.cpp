// The module's part of rows that are stepped by themselves.
#include "bind.hpp"
#include "row_plan.hpp"

namespace proxstep::bind {

void bind_rows(py::module_& m) {
  py::class_<RowPlan>(m, "RowPlan", "An array whose rows are stepped by themselves.")
      .def(py::init<const py::object&, const py::tuple&, const py::object&, const py::object&, bool,
                    std::int64_t>(),
           py::arg("x"), py::arg("moments"), py::arg("rule"), py::arg("penalty"),
           py::arg("euclidean"), py::arg("taken"))
      .def("rebind", &RowPlan::rebind, py::arg("x"), py::arg("moments"), py::arg("rule"),
           py::arg("penalty"), py::arg("euclidean"))
      .def("step_rows", &RowPlan::step_rows, py::arg("rule"), py::arg("indices"), py::arg("values"),
           py::arg("grad_scale"))
      .def("step_awake", &RowPlan::step_awake, py::arg("rule"), py::arg("gradient"),
           py::arg("grad_scale"))
      .def("check", &RowPlan::check, py::arg("indices"), py::arg("values"), py::arg("grad_scale"))
      .def("catch_up", &RowPlan::catch_up, py::arg("indices"))
      .def("flush", &RowPlan::flush)
      .def("forget", &RowPlan::forget)
      .def_property_readonly("now", &RowPlan::now);
}

}  // namespace proxstep::bind
