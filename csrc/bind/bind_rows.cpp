// An array whose rows are stepped by themselves: sparse gradients, and rows that rest at zero.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "../cpu/rows.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"
#include "task.hpp"

namespace proxstep::bind {
namespace {

constexpr std::size_t kMostHistory = 4096;  // steps that a row may wait: then all are brought up

class RowPlan {
 public:
  RowPlan(const py::object& x, const py::tuple& moments, const py::object& rule,
          const py::object& penalty, bool euclidean, std::int64_t taken) {
    rebind(x, moments, rule, penalty, euclidean);
    rows_.start = taken;
    rows_.taken.assign(static_cast<std::size_t>(count()), taken);
    rows_.rests.assign(static_cast<std::size_t>(count()), 0);
  }

  // The same rows in other memory, or under another penalty or metric.
  void rebind(const py::object& x, const py::tuple& moments, const py::object& rule,
              const py::object& penalty, bool euclidean) {
    const auto* const spec = rule.cast<const RuleSpec*>();
    StepArguments own(x, moments, *spec, penalty.cast<const PenaltySpec*>(), py::none());
    check_rows(own);
    if (!rows_.taken.empty() && own.x().array.shape[0] != count()) {
      throw py::value_error("x has shape " + shape_text(own.x().array) + " for " +
                            std::to_string(count()) + " rows");
    }
    own_.emplace(std::move(own));
    euclidean_ = euclidean;
    keep_ = py::make_tuple(x, moments, penalty);
    rows_.whole = own_->task();
    std::fill(rows_.rests.begin(), rows_.rests.end(), 0);
    rows_.width = count() ? rows_.whole.n / count() : 0;
  }

  void step_rows(const RuleSpec& rule, py::handle indices, py::handle values, double grad_scale) {
    const Borrowed which = lent_indices(indices);
    const std::int64_t n = which.array.size();
    const auto* const rows = static_cast<const std::int64_t*>(which.array.data);
    for (std::int64_t k = 1; k < n; ++k) {
      if (rows[k] <= rows[k - 1]) {
        throw py::value_error("indices must increase, indices[" + std::to_string(k) + "] is " +
                              std::to_string(rows[k]) + " after " + std::to_string(rows[k - 1]));
      }
    }
    const Borrowed g = Borrowed::floating(values, "values", py::none(), &own_->x());
    check_same_dtype(g, own_->x());
    if (!is_c_order(g.array) || g.array.size() != n * rows_.width) {
      throw py::value_error("values have shape " + shape_text(g.array) + " for " +
                            std::to_string(n) + " rows of " + std::to_string(rows_.width));
    }
    own_->check_apart(g);
    take(rule, grad_scale);
    py::gil_scoped_release released;
    cpu::step_rows(rows_, rows, n, g.array.data, grad_scale);
  }

  void step_awake(const RuleSpec& rule, py::handle gradient, double grad_scale) {
    const Borrowed g = own_->gradient(gradient, py::none());
    own_->check_apart(g);
    take(rule, grad_scale);
    py::gil_scoped_release released;
    cpu::step_awake(rows_, g.array.data, grad_scale);
  }

  // Whether any of these rows had steps to make up for.
  bool catch_up(py::handle indices) {
    const Borrowed lent = lent_indices(indices);
    const auto* const first = static_cast<const std::int64_t*>(lent.array.data);
    std::vector<std::int64_t> which(first, first + lent.array.size());
    std::sort(which.begin(), which.end());
    which.erase(std::unique(which.begin(), which.end()), which.end());
    const auto distinct = static_cast<std::int64_t>(which.size());
    if (is_present(which.data(), distinct)) return false;
    py::gil_scoped_release released;
    cpu::catch_up(rows_, which.data(), distinct);
    return true;
  }

  // Whether any row had steps to make up for.
  bool flush() {
    const bool waiting = !is_present(nullptr, count());
    py::gil_scoped_release released;
    cpu::catch_up(rows_, nullptr, count());
    cpu::forget(rows_);
    return waiting;
  }

  // All rows count as present, whatever steps they have missed.
  void forget() {
    std::fill(rows_.taken.begin(), rows_.taken.end(), rows_.now());
    std::fill(rows_.rests.begin(), rows_.rests.end(), 0);
    cpu::forget(rows_);
  }

  std::int64_t now() const { return rows_.now(); }

 private:
  std::int64_t count() const { return own_->x().array.shape[0]; }

  // which: null for all rows.
  bool is_present(const std::int64_t* which, std::int64_t n) const {
    for (std::int64_t k = 0; k < n; ++k) {
      if (rows_.taken[which ? which[k] : k] < rows_.now()) return false;
    }
    return true;
  }

  static void check_rows(const StepArguments& own) {
    const Array& x = own.x().array;
    const std::string name = "x of shape " + shape_text(x);
    if (own.x().on_device()) throw py::value_error("rows are stepped by themselves on the CPU");
    if (x.ndim == 0 || !is_c_order(x)) throw py::value_error(name + " must be in C order");
    if (own.task().levels.given()) {
      throw py::type_error("levels are not served where rows are stepped by themselves");
    }
    const Narrowing& narrowing = own.task().narrowing;
    if (narrowing.moments[0] || narrowing.moments[1]) {
      throw py::type_error("bfloat16 moments are not served where rows are stepped by themselves");
    }
    const GroupPenalty& groups = own.task().groups;
    const bool by_rows = groups.over == Over::segments && !groups.offsets &&
                         groups.count == x.shape[0] && x.ndim > 1;
    if (groups.over != Over::nothing && !by_rows) {
      throw py::value_error("the groups of the penalty are not the rows of " + name +
                            ", which are stepped by themselves");
    }
  }

  Borrowed lent_indices(py::handle indices) const {
    Borrowed b = Borrowed::any(indices, "indices", py::none(), &own_->x());
    check_dtype(b, DType::int64, own_->x());
    if (b.array.ndim != 1 || !is_c_order(b.array)) {
      throw py::value_error("indices have shape " + shape_text(b.array) +
                            "; a dense vector is needed");
    }
    const auto* const first = static_cast<const std::int64_t*>(b.array.data);
    const auto* const last = first + b.array.size();
    const auto bad =
        std::find_if(first, last, [&](std::int64_t r) { return r < 0 || r >= count(); });
    if (bad != last) {
      throw py::value_error("indices hold " + std::to_string(*bad) + ", x has " +
                            std::to_string(count()) + " rows");
    }
    return b;
  }

  // The next step enters the history.
  void take(const RuleSpec& rule, double grad_scale) {
    check_grad_scale(grad_scale, rows_.whole.dtype);
    if (rows_.history.size() >= kMostHistory) flush();
    Task step;
    step.dtype = rows_.whole.dtype;
    rule.apply(static_cast<double>(rows_.now() + 1), std::nan(""), euclidean_, &step);
    rows_.history.push_back(step);
  }

  bool euclidean_ = false;
  std::optional<StepArguments> own_;
  py::object keep_;  // what the pointers point into
  cpu::Rows rows_;
};

}  // namespace

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
      .def("catch_up", &RowPlan::catch_up, py::arg("indices"))
      .def("flush", &RowPlan::flush)
      .def("forget", &RowPlan::forget)
      .def_property_readonly("now", &RowPlan::now);
}

}  // namespace proxstep::bind
