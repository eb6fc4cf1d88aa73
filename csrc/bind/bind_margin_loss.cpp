// margin_loss: any loss of one margin a row, with its two derivatives. Host arrays only.
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "../cpu/loss.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "loss_arguments.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

Borrowed margins_on_host(py::handle object) {
  Borrowed margin = Borrowed::floating(object, "margin");
  check_loss_input(margin, 1, "(rows,)");
  if (margin.on_device()) {
    throw py::value_error("margin lies in CUDA memory; margin_loss takes CPU memory");
  }
  return margin;
}

// One a row, of the margins' dtype.
void check_beside(const Borrowed& b, const Borrowed& margin) {
  check_same_dtype(b, margin);
  check_same_shape(b, margin);
}

struct MarginArguments {
  MarginArguments(py::handle margin_object, py::handle targets_object, py::handle grad_object,
                  py::handle bend_object, py::handle weights_object, double scale)
      : margin(margins_on_host(margin_object)),
        targets(Borrowed::floating(targets_object, "targets", py::none(), &margin)),
        rest(margin, grad_object, weights_object, scale, true) {
    check_beside(targets, margin);
    rest.check_apart(targets);
    if (!bend_object.is_none()) take_bend(bend_object);
  }

  void take_bend(py::handle object) {
    if (!rest.grad) throw py::value_error("bend is given and grad is None; both are needed");
    bend.emplace(Borrowed::output(object, "bend", py::none(), &margin));
    check_beside(*bend, margin);
    for (const Borrowed* other : {&margin, &targets, &*rest.grad}) {
      check_no_overlap(*bend, *other);
    }
    if (rest.weights) check_no_overlap(*bend, *rest.weights);
  }

  template <class T>
  double run(int kind, const std::vector<double>& settings) const {
    const MarginRows<T> job{
        {static_cast<const T*>(margin.array.data), static_cast<const T*>(targets.array.data),
         static_cast<T*>(rest.grad_data()), static_cast<const T*>(rest.weights_data()), rest.scale},
        bend ? static_cast<T*>(bend->array.data) : nullptr,
        settings.data()};
    py::gil_scoped_release released;
    return cpu::margin_loss(kind, job, margin.array.size());
  }

  Borrowed margin, targets;
  LossArguments rest;
  std::optional<Borrowed> bend;
};

double margin_loss(const std::string& name, const std::vector<double>& settings, py::handle margin,
                   py::handle targets, py::handle grad, py::handle bend, py::handle weights,
                   double scale) {
  const int kind = loss_kind(name, settings);
  const MarginArguments arguments(margin, targets, grad, bend, weights, scale);
  return arguments.margin.array.dtype == DType::float64 ? arguments.run<double>(kind, settings)
                                                        : arguments.run<float>(kind, settings);
}

}  // namespace

void bind_margin_loss(py::module_& m) {
  m.def("margin_loss", &margin_loss, py::arg("name"), py::arg("settings"), py::arg("margin"),
        py::arg("targets"), py::arg("grad") = py::none(), py::arg("bend") = py::none(),
        py::arg("row_weights") = py::none(), py::arg("scale") = 1.0,
        "Return scale times the weighted sum of a loss of one margin a row; grad and bend receive\n"
        "the first and second derivatives of that by the margins.");
}

}  // namespace proxstep::bind
