#include "task.hpp"

#include <algorithm>
#include <cmath>

#include "../cpu/registry.hpp"
#include "../cpu/select.hpp"
#include "../op/project.hpp"
#include "checks.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

constexpr std::int64_t kReleaseFrom = 4096;  // elements; below, the GIL's round trip costs more
constexpr const char* kMomentNames[] = {"moments[0]", "moments[1]"};

// By what is computed with: a float32 may be too short for the rate.
bool is_at_rest(const Task& t) {
  return compute_type(t.dtype) == DType::float64 ? t.step == 0.0
                                                 : static_cast<float>(t.step) == 0.0f;
}

}  // namespace

void check_grad_scale(double grad_scale, DType dtype) {
  if (!fits(grad_scale, dtype)) {
    throw py::value_error("grad_scale is " + number_text(grad_scale) + "; it must be finite in " +
                          dtype_name(compute_type(dtype)));
  }
}

void check_lr(double lr) {
  if (lr < 0.0 || std::isinf(lr)) {
    throw py::value_error("lr is " + number_text(lr) + "; it must be finite and not negative");
  }
}

StepArguments::StepArguments(py::handle x, const py::tuple& moments, const RuleSpec& rule,
                             const PenaltySpec* penalty, py::handle dtype)
    : x_(Borrowed::output(x, "x", dtype)) {
  if (static_cast<int>(moments.size()) != rule.slots()) {
    throw py::value_error(std::string("rule ") + cpu::rule_info(rule.kind).name + " keeps " +
                          std::to_string(rule.slots()) + " arrays of moments, the state has " +
                          std::to_string(moments.size()));
  }
  for (std::size_t k = 0; k < moments.size(); ++k) {
    keep_apart(Borrowed::moment(moments[k], kMomentNames[k], x_));
    const Borrowed& m = kept_.back();
    check_moment(k, k < static_cast<std::size_t>(cpu::rule_info(rule.kind).stored));
    task_.m[k] = m.array.data;
  }
  task_.dtype = task_.g_dtype = x_.array.dtype;
  task_.n = x_.array.size();
  task_.source = task_.x = x_.array.data;
  if (penalty) penalty->apply(x_, &task_);
}

void StepArguments::set_penalty(const PenaltySpec* penalty) {
  Task changed = task_;
  changed.element = {}, changed.groups = {}, changed.nm = {}, changed.levels = {};
  if (penalty) penalty->apply(x_, &changed);
  task_ = changed;
}

// The moments that a rule stores may be bfloat16, all of them or none.
void StepArguments::check_moment(std::size_t k, bool stored) {
  const Borrowed& m = kept_[k];
  const DType compute = compute_type(x_.array.dtype);
  if (!stored || compute == DType::float64 || m.array.dtype != DType::bfloat16) {
    check_dtype(m, compute, x_);
  } else {
    task_.narrowing.moments[k] = true;
  }
  if (stored) check_same_dtype(m, kept_[0]);
}

void StepArguments::keep_apart(Borrowed b) {
  check_same_shape(b, x_);
  check_no_overlap(b, x_);
  for (const Borrowed& other : kept_) check_no_overlap(b, other);
  kept_.push_back(std::move(b));
}

void StepArguments::step_master(py::handle master) {
  if (itemsize(x_.array.dtype) != 2) {
    throw py::type_error(std::string("x has dtype ") + dtype_name(x_.array.dtype) +
                         "; a master is for bfloat16 or float16");
  }
  keep_apart(Borrowed::output(master, "master", py::none(), &x_));
  check_dtype(kept_.back(), DType::float32, x_);
  task_.narrowing.copy_dtype = task_.dtype;
  task_.narrowing.copy = task_.x;
  task_.dtype = DType::float32;
  task_.source = task_.x = kept_.back().array.data;
}

void StepArguments::round_stochastically() {
  task_.narrowing.stochastic = itemsize(task_.dtype) == 2;
}

Borrowed StepArguments::gradient(py::handle g, py::handle dtype) const {
  Borrowed b = Borrowed::floating(g, "g", dtype, &x_);
  check_same_dtype(b, x_);
  check_same_shape(b, x_);
  return b;
}

void StepArguments::check_apart(const Borrowed& gradient) const {
  check_no_overlap(gradient, x_);
  for (const Borrowed& b : kept_) check_no_overlap(gradient, b);
}

void rank_at_rest(Task* tasks, std::size_t count) {
  const auto moves = [&](int selection) {
    return std::any_of(tasks, tasks + count,
                       [=](const Task& t) { return t.selection == selection && !is_at_rest(t); });
  };
  for (std::size_t k = 0; k < count; ++k) {
    Task& t = tasks[k];
    if (!is_at_rest(t)) continue;
    const bool selects = t.selection != kNoSelection;
    if (selects && moves(t.selection)) {
      t.selection = kNoSelection;
    } else if (t.rule_steps && (t.nm.given() || selects)) {
      t.rule_steps = false;
      t.euclidean = true;
    }
  }
}

namespace {

void run_on_device(const Borrowed& x, const Task& task, const cuda::StepCall& call) {
  cuda::Backend& serves = backend();
  py::gil_scoped_release released;
  cuda::run(serves, x.stream, {task}, call);
}

}  // namespace

void run(const Borrowed& x, const Task& task, double grad_scale, Statistics* statistics) {
  if (x.on_device()) {
    return run_on_device(x, task, {grad_scale, 0.0, nullptr, nullptr, statistics, {}});
  }
  if (task.n < kReleaseFrom) return cpu::run(&task, 1, grad_scale, statistics);
  py::gil_scoped_release released;
  cpu::run(&task, 1, grad_scale, statistics);
}

void run_selected(const Borrowed& x, Task task, std::int64_t keep, double grad_scale,
                  Statistics* statistics) {
  task.selection = 0;
  if (x.on_device()) {
    return run_on_device(x, task, {grad_scale, 0.0, nullptr, nullptr, statistics, {keep}});
  }
  py::gil_scoped_release released;
  std::vector<Task> tasks{task};
  std::vector<cpu::LastEnd> ends;
  cpu::select({{keep}, grad_scale, statistics != nullptr, &ends}, &tasks);
  cpu::run(tasks.data(), 1, grad_scale, statistics);
}

std::int64_t kept_of(py::handle k, std::int64_t n) {
  if (!PyFloat_Check(k.ptr())) return std::min(n, k.cast<std::int64_t>());
  return op::share_of_elements(k.cast<double>(), n);
}

py::tuple statistics_tuple(const Statistics& s) {
  return py::make_tuple(s.nonzeros, s.penalty, s.squared_change, s.not_finite == 0);
}

}  // namespace proxstep::bind
