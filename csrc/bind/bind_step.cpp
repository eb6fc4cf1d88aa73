// soft_threshold, prox, value, step and global_norm on single arrays.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "../cpu/registry.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "messages.hpp"
#include "spec.hpp"
#include "task.hpp"

namespace proxstep::bind {
namespace {

void check_step(double step, DType dtype) {
  if (!(step >= 0.0 && fits(step, dtype))) {
    throw py::value_error("step is " + number_text(step) + "; it must be finite in " +
                          dtype_name(compute_type(dtype)) + " and not negative");
  }
}

template <class C>
void check_each_step(const C* steps, std::int64_t n) {
  const auto bad =
      std::find_if(steps, steps + n, [](C s) { return !(s >= C(0) && s - s == C(0)); });
  if (bad != steps + n) {
    throw py::value_error("step holds " + number_text(double(*bad)) +
                          "; all must be finite and not negative");
  }
}
void check_steps(const Array& steps) {
  if (steps.dtype == DType::float64) {
    check_each_step(static_cast<const double*>(steps.data), steps.size());
  } else {
    check_each_step(static_cast<const float*>(steps.data), steps.size());
  }
}

// Python's and NumPy's numbers, but no array of one.
bool is_number(py::handle object) {
  return PyFloat_Check(object.ptr()) || PyLong_Check(object.ptr()) ||
         (PyNumber_Check(object.ptr()) && !py::hasattr(object, "__dlpack__"));
}

// Source and output of a prox, checked.
struct Pair {
  Pair(py::handle object, const char* name, py::handle out_object, py::handle dtype)
      : z(Borrowed::floating(object, name, dtype)),
        out(Borrowed::output(out_object, "out", dtype, &z)) {
    check_same_dtype(out, z);
    check_same_shape(out, z);
    check_same_or_apart(out, z);
  }
  Task task() const {
    Task t;
    t.dtype = out.array.dtype;
    t.n = out.array.size();
    t.source = z.array.data;
    t.x = out.array.data;
    return t;
  }
  Borrowed z, out;
};

void soft_threshold(py::handle x, double threshold, py::handle out, py::handle dtype) {
  if (!(threshold >= 0.0)) {
    throw py::value_error("threshold is " + number_text(threshold) +
                          "; it must not be negative or NaN");
  }
  static const int l1 = cpu::find_penalty("l1");
  const Pair pair(x, "x", out, dtype);
  Task task = pair.task();
  task.element.kind = l1;
  task.element.settings[0] = threshold;
  run(pair.z, task, 1.0, nullptr);
}

void prox(py::handle z, const PenaltySpec& penalty, py::handle step, py::handle out,
          py::handle dtype) {
  const Pair pair(z, "z", out, dtype);
  Task task = pair.task();
  std::optional<Borrowed> steps;
  if (is_number(step)) {
    task.step = py::float_(py::reinterpret_borrow<py::object>(step));
    check_step(task.step, task.dtype);
  } else {
    steps.emplace(Borrowed::floating(step, "step", py::none(), &pair.z));
    check_dtype(*steps, compute_type(task.dtype), pair.z);
    check_same_shape(*steps, pair.z);
    check_no_overlap(*steps, pair.out);
    if (!steps->on_device()) check_steps(steps->array);  // to look would wait for the device
    task.steps = steps->array.data;
  }
  penalty.apply(pair.z, &task);
  run(pair.z, task, 1.0, nullptr);
}

double value(py::handle x, const PenaltySpec& penalty, py::handle dtype) {
  const Borrowed b = Borrowed::floating(x, "x", dtype);
  Task task;
  task.dtype = b.array.dtype;
  task.n = b.array.size();
  task.source = task.x = b.array.data;
  penalty.apply(b, &task);
  cuda::Backend* const serves = b.on_device() ? &backend() : nullptr;
  py::gil_scoped_release released;
  return serves ? cuda::penalty_value(*serves, b.stream, task) : cpu::penalty_value(task);
}

py::object step(py::handle x, py::handle g, const RuleSpec& rule, const PenaltySpec* penalty,
                const py::tuple& moments, double t, double lr, double grad_scale, bool euclidean,
                bool statistics, py::handle dtype, py::handle keep) {
  check_lr(lr);
  const StepArguments arguments(x, moments, rule, penalty, dtype);
  check_grad_scale(grad_scale, arguments.task().dtype);
  const Borrowed gradient = arguments.gradient(g, dtype);
  arguments.check_apart(gradient);
  Task task = arguments.task();
  task.g = gradient.array.data;
  task.narrowing.random = StepArguments::stream(0, t, 0);
  if (!keep.is_none()) task.selection = 0;
  rule.apply(t, lr, euclidean, &task);
  rank_at_rest(&task, 1);
  Statistics sums;
  Statistics* const wanted = statistics ? &sums : nullptr;
  if (keep.is_none()) {
    run(arguments.x(), task, grad_scale, wanted);
  } else {
    run_selected(arguments.x(), task, kept_of(keep, task.n), grad_scale, wanted);
  }
  return statistics ? py::object(statistics_tuple(sums)) : py::none();
}

double global_norm(const py::list& arrays, py::handle dtype) {
  std::vector<Borrowed> lent;
  lent.reserve(arrays.size());  // the first is referred to
  std::vector<Array> plain;
  for (const py::handle a : arrays) {
    lent.push_back(Borrowed::floating(a, "array", dtype, lent.empty() ? nullptr : &lent.front()));
    plain.push_back(lent.back().array);
  }
  const bool on_device = !lent.empty() && lent.front().on_device();
  cuda::Backend* const serves = on_device ? &backend() : nullptr;
  py::gil_scoped_release released;
  return serves ? cuda::global_norm(*serves, lent.front().stream, plain) : cpu::global_norm(plain);
}

}  // namespace

void bind_step(py::module_& m) {
  bind_specs(m);
  m.def("soft_threshold", &soft_threshold, py::arg("x"), py::arg("threshold"), py::arg("out"),
        py::arg("dtype"));
  m.def("prox", &prox, py::arg("z"), py::arg("penalty"), py::arg("step"), py::arg("out"),
        py::arg("dtype") = py::none());
  m.def("value", &value, py::arg("x"), py::arg("penalty"), py::arg("dtype") = py::none());
  m.def("step", &step, py::arg("x"), py::arg("g"), py::arg("rule"), py::arg("penalty"),
        py::arg("moments"), py::arg("t"), py::arg("lr"), py::arg("grad_scale"),
        py::arg("euclidean"), py::arg("statistics"), py::arg("dtype"),
        py::arg("keep") = py::none());
  m.def("kept_of", &kept_of, py::arg("k"), py::arg("n"));
  m.def("global_norm", &global_norm, py::arg("arrays"), py::arg("dtype") = py::none());
}

}  // namespace proxstep::bind
