// Projections of single arrays, whole or row by row.
#include <cstdint>
#include <string>

#include "../cpu/project.hpp"
#include "../cuda/project.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "device.hpp"
#include "layout.hpp"
#include "messages.hpp"
#include "task.hpp"

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

// k: None, or of each row how many elements or what share stays.
void run(py::handle z_object, py::handle out_object, Projection task, bool by_rows,
         py::handle dtype, py::handle k) {
  const Borrowed z = Borrowed::floating(z_object, "z", dtype);
  const Borrowed out = Borrowed::output(out_object, "out", dtype, &z);
  check(z, out, by_rows);
  const std::int64_t total = z.array.size();
  if (total == 0) return;
  task.dtype = z.array.dtype;
  task.z = z.array.data;
  task.out = out.array.data;
  task.rows = by_rows ? z.array.shape[0] : 1;
  task.n = total / task.rows;
  if (!k.is_none()) task.k = kept_of(k, task.n);
  cuda::Backend* const serves = z.on_device() ? &backend() : nullptr;
  py::gil_scoped_release released;
  serves ? cuda::project(*serves, z.stream, task) : cpu::project(task);
}

void project(py::handle z, py::handle out, const std::string& onto, double radius, bool by_rows,
             py::handle dtype) {
  Projection task;
  task.set = onto == "simplex" ? ProjectionSet::simplex : ProjectionSet::l1_ball;
  task.radius = radius;
  run(z, out, task, by_rows, dtype, py::none());
}

void top_k(py::handle z, py::handle out, py::handle k, bool by_rows, py::handle dtype) {
  Projection task;
  task.set = ProjectionSet::top_k;
  run(z, out, task, by_rows, dtype, k);
}

}  // namespace

void bind_project(py::module_& m) {
  m.def("project", &project, py::arg("z"), py::arg("out"), py::arg("onto"), py::arg("radius"),
        py::arg("by_rows"), py::arg("dtype") = py::none());
  m.def("top_k", &top_k, py::arg("z"), py::arg("out"), py::arg("k"), py::arg("by_rows"),
        py::arg("dtype") = py::none());
}

}  // namespace proxstep::bind
