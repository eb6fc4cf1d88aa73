// ManySquares: many small least-squares problems, held for runs on some of them. x and what is told
// of it are changed in place, without the GIL; a signal ends a run between two slabs of fits.
#include <string>

#include "../cpu/descent/many.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "lent_rows.hpp"
#include "loss_arguments.hpp"
#include "messages.hpp"
#include "signals.hpp"
#include "spec.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

constexpr int64_t kReport = sizeof(cpu::ManyReport) / sizeof(double);

class HeldManySquares {
 public:
  HeldManySquares(const py::object& X, const py::object& Y, const py::object& shares,
                  bool fit_intercept)
      : keep_(py::make_tuple(X, Y, shares)),
        X_(Borrowed::floating(X, "X")),
        Y_(Borrowed::floating(Y, "Y")) {
    check_X();
    const Array& x = X_.array;
    fits_ = x.ndim == 3 ? x.shape[0] : Y_.array.shape[0];
    p_ = x.shape[x.ndim - 1];
    const int64_t n = x.shape[x.ndim - 2];
    check_rows_of(Y_, DType::float64, fits_, n);
    const cpu::ManySquares squares{x, static_cast<const double*>(Y_.array.data),
                                   lent_vector(shares, "shares", n, &shares_), fit_intercept};
    const py::gil_scoped_release released;
    held_.emplace(squares);
  }

  void run(const PenaltySpec& penalty, const py::object& fits_object, const py::object& x_object,
           const py::object& gradient_object, const py::object& reports_object, double tolerance,
           int64_t max_epochs, const py::object& stop) const {
    const Borrowed fits = Borrowed::any(fits_object, "fits");
    const Borrowed x = Borrowed::output(x_object, "x");
    const Borrowed gradient = Borrowed::output(gradient_object, "gradient");
    const Borrowed reports = Borrowed::output(reports_object, "reports");
    check_rows_of(fits, DType::int64, fits.array.size(), kOneAxis);
    check_rows_of(x, DType::float64, fits_, p_);
    check_rows_of(gradient, DType::float64, fits_, p_);
    check_rows_of(reports, DType::float64, fits_, kReport);
    check_no_overlap(x, gradient);
    cpu::ManyRun run;
    run.element = element_of(penalty, x);
    run.fits = static_cast<const int64_t*>(fits.array.data);
    run.count = fits.array.size();
    check_fits(run);
    run.x = static_cast<double*>(x.array.data);
    run.gradient = static_cast<double*>(gradient.array.data);
    run.reports = static_cast<cpu::ManyReport*>(reports.array.data);
    run.tolerance = tolerance;
    run.max_epochs = max_epochs;
    in_slabs(run, stop);
    if (PyErr_Occurred()) throw py::error_already_set();
  }

 private:
  void check_X() const {
    const Array& x = X_.array;
    if (itemsize(x.dtype) == 2) {
      throw py::type_error(std::string("X has dtype ") + dtype_name(x.dtype) +
                           "; float64 or float32 is needed");
    }
    if (X_.on_device()) throw py::value_error("X is not in CPU memory");
    if (x.ndim < 2 || x.ndim > 3 || x.shape[x.ndim - 2] == 0 || Y_.array.ndim != 2) {
      throw py::value_error(shaped(X_) + " and " + shaped(Y_) +
                            "; (n, p) or (fits, n, p) and (fits, n) are needed, n > 0");
    }
  }

  // Weights belong to the elements of one fit.
  static ElementPenalty element_of(const PenaltySpec& penalty, const Borrowed& x) {
    Borrowed one;
    one.name = "x";
    one.array = x.array;
    one.array.ndim = 1;
    one.array.shape[0] = x.array.shape[1];
    one.array.strides[0] = 1;
    Task task;
    task.n = one.array.size();
    penalty.apply(one, &task);
    if (task.nm.given() || task.levels.given() || task.groups.over != Over::nothing) {
      throw py::type_error("many fits take penalties of elements");
    }
    return task.element;
  }

  void check_fits(const cpu::ManyRun& run) const {
    int64_t last = -1;
    for (int64_t k = 0; k < run.count; last = run.fits[k++]) {
      if (run.fits[k] > last && run.fits[k] < fits_) continue;
      throw py::value_error("fits[" + std::to_string(k) + "] is " + std::to_string(run.fits[k]) +
                            "; they increase within 0 to " + std::to_string(fits_ - 1));
    }
  }

  // Fits of a slab that was begun are all told of.
  void in_slabs(cpu::ManyRun run, const py::object& stop) const {
    Signals signals(stop);
    const py::gil_scoped_release released;
    for (int64_t left = run.count; left > 0 && !signals.raised(); left -= run.count) {
      run.count = std::min(left, held_->slab());
      held_->run(run);
      run.fits += run.count;
    }
  }

  py::tuple keep_;
  Borrowed X_, Y_, shares_;
  int64_t fits_ = 0, p_ = 0;
  std::optional<cpu::ManyFits> held_;
};

}  // namespace

void bind_many(py::module_& m) {
  py::class_<HeldManySquares>(m, "ManySquares", "Many small least-squares problems.")
      .def(py::init<const py::object&, const py::object&, const py::object&, bool>(), py::arg("X"),
           py::arg("Y"), py::arg("shares"), py::arg("fit_intercept"))
      .def("run", &HeldManySquares::run, py::arg("penalty"), py::arg("fits"), py::arg("x"),
           py::arg("gradient"), py::arg("reports"), py::arg("tolerance"), py::arg("max_epochs"),
           py::arg("stop") = py::none(),
           "Minimise some of the fits from x, in place, and write their gradients and reports: "
           "loss, x'gradient, objective, intercept, scale, largest mean square of a column, norm "
           "of the null model's gradient, epochs so far. stop, if given, is asked now and then: "
           "what was not run by then stays as it is.");
}

}  // namespace proxstep::bind
