// Descent: a problem of one output, held for many runs on chosen blocks. x is changed in place,
// without the GIL; a signal ends a run after the epoch it came in.
#include <string>

#include "../cpu/descent/gram_cache.hpp"
#include "../descent.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "lent_matrix.hpp"
#include "lent_rows.hpp"
#include "loss_arguments.hpp"
#include "signals.hpp"
#include "spec.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

class HeldDescent {
 public:
  HeldDescent(const LentMatrix& X, const std::string& loss, const std::vector<double>& settings,
              const py::object& targets, const py::object& shares, const py::object& means)
      : keep_(py::make_tuple(py::cast(&X), targets, shares, means)) {
    descent_.X = X.matrix();
    descent_.loss = loss_kind(loss, settings);
    std::copy(settings.begin(), settings.end(), descent_.loss_settings);
    descent_.targets = needed(targets, "targets", descent_.X.n, &targets_);
    descent_.shares = lent_vector(shares, "shares", descent_.X.n, &shares_);
    descent_.means = lent_vector(means, "means", descent_.X.p, &means_);
  }

  void keep_gram(const py::object& gram) {
    if (descent_.loss != loss_kind("square", {})) {
      throw py::value_error("a Gram matrix serves the loss 'square' only");
    }
    gram_ = Borrowed::floating(gram, "gram");
    check_rows_of(gram_, DType::float64, descent_.X.p, descent_.X.p);
    descent_.gram = static_cast<const double*>(gram_.array.data);
    keep_ = py::make_tuple(keep_, gram);
  }

  py::tuple run(const PenaltySpec& penalty, const py::object& blocks, const py::object& x_object,
                const py::object& margins_object, const py::object& gradient_object,
                double tolerance, int64_t max_epochs, const py::object& stop) {
    const Borrowed x = Borrowed::output(x_object, "x");
    const Borrowed chosen = Borrowed::any(blocks, "blocks");
    check_rows_of(x, DType::float64, descent_.X.p, kOneAxis);
    check_rows_of(chosen, DType::int64, chosen.array.size(), kOneAxis);
    Descent descent = descent_;
    Borrowed margins, gradient;
    if (!descent_.gram) {
      descent.margins = needed(margins_object, "margins", descent_.X.n, &margins);
    }
    descent.gradient = needed(gradient_object, "gradient", descent_.X.p, &gradient);
    apply(penalty, x, &descent);
    descent.blocks = static_cast<const int64_t*>(chosen.array.data);
    descent.count = chosen.array.size();
    check_blocks(descent);
    descent.x = static_cast<double*>(x.array.data);
    descent.tolerance = tolerance;
    descent.max_epochs = max_epochs;
    return finished(descent, stop);
  }

 private:
  static const double* needed(const py::object& object, const char* name, int64_t length,
                              Borrowed* borrowed) {
    if (object.is_none()) throw py::type_error(std::string(name) + " is None; values are needed");
    return lent_vector(object, name, length, borrowed);
  }

  static void apply(const PenaltySpec& penalty, const Borrowed& x, Descent* descent) {
    Task task;
    task.n = x.array.size();
    penalty.apply(x, &task);
    if (task.nm.given() || task.levels.given() || task.groups.over == Over::columns) {
      throw py::type_error("coordinate descent takes no N:M, quantising or column penalty");
    }
    descent->element = task.element;
    descent->groups = task.groups;
  }

  static void check_blocks(const Descent& descent) {
    const bool single = descent.groups.over == Over::nothing;
    const int64_t most = single ? descent.X.p : descent.groups.count;
    int64_t last = -1;
    for (int64_t k = 0; k < descent.count; last = descent.blocks[k++]) {
      if (descent.blocks[k] > last && descent.blocks[k] < most) continue;
      throw py::value_error("blocks[" + std::to_string(k) + "] is " +
                            std::to_string(descent.blocks[k]) + "; they increase within 0 to " +
                            std::to_string(most - 1));
    }
  }

  py::tuple finished(Descent& descent, const py::object& stop) {
    Signals signals(stop);
    descent.interrupted = [&signals] { return signals.raised(); };
    DescentReport report;
    {
      py::gil_scoped_release released;
      report = cpu::descend(descent, &cache_);
    }
    if (PyErr_Occurred()) throw py::error_already_set();
    return py::make_tuple(report.intercept_change, report.epochs);
  }

  py::tuple keep_;
  Borrowed targets_, shares_, means_, gram_;
  Descent descent_;
  cpu::GramCache cache_;
};

}  // namespace

void bind_descent(py::module_& m) {
  py::class_<HeldDescent>(m, "Descent", "Coordinate descent for problems of one output.")
      .def(py::init<const LentMatrix&, const std::string&, const std::vector<double>&,
                    const py::object&, const py::object&, const py::object&>(),
           py::arg("matrix"), py::arg("loss"), py::arg("settings"), py::arg("targets"),
           py::arg("shares") = py::none(), py::arg("means") = py::none())
      .def("keep_gram", &HeldDescent::keep_gram, py::arg("gram"),
           "Run on this X_c' W X_c, of all columns, from now on; margins are not read then.")
      .def("run", &HeldDescent::run, py::arg("penalty"), py::arg("blocks"), py::arg("x"),
           py::arg("margins"), py::arg("gradient"), py::arg("tolerance"), py::arg("max_epochs"),
           py::arg("stop") = py::none(),
           "Minimise over the chosen blocks of x, in place, and the intercept. Returns the change "
           "of the intercept and the number of epochs; stop, if given, is asked now and then.");
}

}  // namespace proxstep::bind
