// What is stepped by rows, and its steps; gradients are checked before the history grows.
#include "row_plan.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

void check_rows(const StepArguments& own) {
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
  const bool by_rows =
      groups.over == Over::segments && !groups.offsets && groups.count == x.shape[0] && x.ndim > 1;
  if (groups.over != Over::nothing && !by_rows) {
    throw py::value_error("the groups of the penalty are not the rows of " + name +
                          ", which are stepped by themselves");
  }
}

}  // namespace

RowPlan::RowPlan(const py::object& x, const py::tuple& moments, const py::object& rule,
                 const py::object& penalty, bool euclidean, std::int64_t taken) {
  rebind(x, moments, rule, penalty, euclidean);
  rows_.start = rows_.sweep = rows_.steady = taken;
  rows_.taken.assign(static_cast<std::size_t>(count()), taken);
  rows_.rests.assign(static_cast<std::size_t>(count()), 0);
}

void RowPlan::rebind(const py::object& x, const py::tuple& moments, const py::object& rule,
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

void RowPlan::step_rows(const RuleSpec& rule, py::handle indices, py::handle values,
                        double grad_scale) {
  const Sparse g = sparse(indices, values);
  take(rule, grad_scale);
  py::gil_scoped_release released;
  cpu::step_rows(rows_, g.rows(), g.which.array.size(), g.values.array.data, grad_scale);
}

void RowPlan::step_awake(const RuleSpec& rule, py::handle gradient, double grad_scale) {
  const Borrowed g = dense(gradient);
  take(rule, grad_scale);
  py::gil_scoped_release released;
  cpu::step_awake(rows_, g.array.data, grad_scale);
}

bool RowPlan::catch_up(py::handle indices) {
  const Borrowed lent = lent_indices(indices);
  const auto* const first = static_cast<const std::int64_t*>(lent.array.data);
  std::vector<std::int64_t> which(first, first + lent.array.size());
  std::sort(which.begin(), which.end());
  which.erase(std::unique(which.begin(), which.end()), which.end());
  const auto distinct = static_cast<std::int64_t>(which.size());
  py::gil_scoped_release released;
  return cpu::catch_up(rows_, which.data(), distinct);
}

bool RowPlan::flush() {
  py::gil_scoped_release released;
  const bool waiting = cpu::catch_up(rows_, nullptr, count());
  cpu::forget(rows_);
  return waiting;
}

bool RowPlan::forget() {
  bool lost = false;
  for (std::int64_t k = 0; k < count(); ++k) {
    lost = lost || (rows_.taken[k] < rows_.now() && !rows_.rests[k]);
  }
  std::fill(rows_.taken.begin(), rows_.taken.end(), rows_.now());
  std::fill(rows_.rests.begin(), rows_.rests.end(), 0);
  cpu::forget(rows_);
  return lost;
}

// The next step enters the history.
void RowPlan::take(const RuleSpec& rule, double grad_scale) {
  check_grad_scale(grad_scale, rows_.whole.dtype);
  Task step;
  step.dtype = rows_.whole.dtype;
  rule.apply(static_cast<double>(rows_.now() + 1), std::nan(""), euclidean_, &step);
  cpu::add_step(rows_, step);
}

}  // namespace proxstep::bind
