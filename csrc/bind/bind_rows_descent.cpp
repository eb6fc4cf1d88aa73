// RowsDescent: a problem of several outputs, held for many runs on chosen rows of x. x and the
// margins are changed in place, without the GIL; a signal ends a run after the epoch it came in.
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "../rows_descent.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "lent_matrix.hpp"
#include "lent_rows.hpp"
#include "loss_arguments.hpp"
#include "messages.hpp"
#include "signals.hpp"
#include "spec.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

class HeldRowsDescent {
 public:
  HeldRowsDescent(const LentMatrix& X, int64_t outputs, const std::string& loss,
                  const py::object& targets, const py::object& shares, const py::object& means)
      : keep_(py::make_tuple(py::cast(&X), targets, shares, means)) {
    if (outputs < 1) {
      throw py::value_error("outputs is " + std::to_string(outputs) + "; it must be positive");
    }
    if (loss != "softmax" && loss != "square") {
      throw py::value_error("loss is '" + loss + "'; softmax or square is needed");
    }
    descent_.X = X.matrix();
    descent_.outputs = outputs;
    descent_.softmax = loss == "softmax";
    take_targets(targets);
    descent_.shares = lent_vector(shares, "shares", descent_.X.n, &shares_);
    descent_.means = lent_vector(means, "means", descent_.X.p, &means_);
  }

  py::tuple run(const PenaltySpec& penalty, py::handle rows_object, py::handle x_object,
                py::handle margins_object, double tolerance, int64_t max_epochs,
                const py::object& stop) {
    const Borrowed x = Borrowed::output(x_object, "x");
    const Borrowed margins = Borrowed::output(margins_object, "margins");
    const Borrowed rows = Borrowed::any(rows_object, "rows");
    check_rows_of(x, DType::float64, descent_.X.p, descent_.outputs);
    check_rows_of(margins, DType::float64, descent_.X.n, descent_.outputs);
    check_rows_of(rows, DType::int64, rows.array.size(), kOneAxis);
    check_no_overlap(x, margins);
    RowsDescent descent = descent_;
    apply(penalty, x, &descent);
    descent.rows = static_cast<const int64_t*>(rows.array.data);
    descent.count = rows.array.size();
    check_rows(descent);
    descent.x = static_cast<double*>(x.array.data);
    descent.margins = static_cast<double*>(margins.array.data);
    descent.tolerance = tolerance;
    descent.max_epochs = max_epochs;
    return finished(descent, stop);
  }

 private:
  void take_targets(const py::object& object) {
    targets_ = Borrowed::any(object, "targets");
    const bool labels = descent_.softmax && targets_.array.dtype == DType::int64;
    check_rows_of(targets_, labels ? DType::int64 : DType::float64, descent_.X.n,
                  labels ? kOneAxis : descent_.outputs);
    if (!labels) {
      descent_.targets = static_cast<const double*>(targets_.array.data);
      return;
    }
    descent_.labels = static_cast<const int64_t*>(targets_.array.data);
    for (int64_t i = 0; i < descent_.X.n; ++i) {
      if (descent_.labels[i] >= 0 && descent_.labels[i] < descent_.outputs) continue;
      throw py::value_error("targets[" + std::to_string(i) + "] is " +
                            std::to_string(descent_.labels[i]) + "; there are " +
                            std::to_string(descent_.outputs) + " classes");
    }
  }

  static void apply(const PenaltySpec& penalty, const Borrowed& x, RowsDescent* descent) {
    Task task;
    task.n = x.array.size();
    penalty.apply(x, &task);
    const bool by_rows = task.groups.over == Over::nothing ||
                         (task.groups.over == Over::segments && !task.groups.offsets &&
                          task.groups.length == descent->outputs);
    if (task.nm.given() || task.levels.given() || !by_rows) {
      throw py::type_error("descent on rows takes penalties of elements and of rows");
    }
    descent->element = task.element;
    descent->groups = task.groups;
  }

  static void check_rows(const RowsDescent& descent) {
    int64_t last = -1;
    for (int64_t k = 0; k < descent.count; last = descent.rows[k++]) {
      if (descent.rows[k] > last && descent.rows[k] < descent.X.p) continue;
      throw py::value_error("rows[" + std::to_string(k) + "] is " +
                            std::to_string(descent.rows[k]) + "; they increase within 0 to " +
                            std::to_string(descent.X.p - 1));
    }
  }

  static py::tuple finished(RowsDescent& descent, const py::object& stop) {
    Signals signals(stop);
    descent.interrupted = [&signals] { return signals.raised(); };
    RowsReport report;
    {
      py::gil_scoped_release released;
      report = cpu::descend_rows(descent);
    }
    if (PyErr_Occurred()) throw py::error_already_set();
    return py::make_tuple(report.intercept_change, report.epochs, report.models);
  }

  py::tuple keep_;
  Borrowed targets_, shares_, means_;
  RowsDescent descent_;
};

}  // namespace

void bind_rows_descent(py::module_& m) {
  py::class_<HeldRowsDescent>(m, "RowsDescent", "Descent for problems of several outputs.")
      .def(py::init<const LentMatrix&, int64_t, const std::string&, const py::object&,
                    const py::object&, const py::object&>(),
           py::arg("matrix"), py::arg("outputs"), py::arg("loss"), py::arg("targets"),
           py::arg("shares") = py::none(), py::arg("means") = py::none())
      .def("run", &HeldRowsDescent::run, py::arg("penalty"), py::arg("rows"), py::arg("x"),
           py::arg("margins"), py::arg("tolerance"), py::arg("max_epochs"),
           py::arg("stop") = py::none(),
           "Minimise over the chosen rows of x and the intercepts; x and the margins change in "
           "place. Returns the change of the intercepts beside X minus its means, and the numbers "
           "of epochs and of quadratic models; stop, if given, is asked now and then.");
}

}  // namespace proxstep::bind
