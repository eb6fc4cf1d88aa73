#include <cmath>
#include <string>

#include "../cpu/project.hpp"
#include "bind.hpp"
#include "task.hpp"
#include "tensor.hpp"

namespace proxstep::bind {
namespace {

void check(const Borrowed& z, const Borrowed& out, bool by_rows) {
  check_same_dtype(out, z);
  check_same_shape(out, z);
  check_same_or_apart(out, z);
  if (by_rows && (z.array.ndim < 2 || !is_c_order(z.array))) {
    throw py::value_error("projections of rows need 2 dimensions or more in C order, z has shape " +
                          shape_text(z.array));
  }
}

void project(py::handle z_object, py::handle out_object, const std::string& onto, double radius,
             bool by_rows, py::handle dtype) {
  const Borrowed z = Borrowed::floating(z_object, "z", dtype);
  const Borrowed out = Borrowed::output(out_object, "out", dtype, &z);
  check_cpu(z, "projections run on the CPU");
  check(z, out, by_rows);
  const auto set = onto == "simplex" ? cpu::ConvexSet::simplex : cpu::ConvexSet::l1_ball;
  const std::int64_t total = z.array.size(), rows = by_rows ? z.array.shape[0] : 1;
  if (total == 0) return;
  py::gil_scoped_release released;
  cpu::project(set, z.array.dtype, z.array.data, out.array.data, rows, total / rows, radius);
}

}  // namespace

void bind_project(py::module_& m) {
  m.def("project", &project, py::arg("z"), py::arg("out"), py::arg("onto"), py::arg("radius"),
        py::arg("by_rows"), py::arg("dtype") = py::none());
}

}  // namespace proxstep::bind
