// A step of a plan: gradients are lent, tasks filled in, and all run as one job where they lie.
#include <pybind11/stl.h>

#include <cmath>
#include <optional>

#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"
#include "naming.hpp"
#include "plan.hpp"

namespace proxstep::bind {
namespace {

// How many elements of each selection stay.
std::vector<std::int64_t> kept_in(const std::vector<Task>& tasks, const py::list& keep) {
  std::vector<std::int64_t> elements(keep.size(), 0), kept;
  for (const Task& t : tasks) {
    if (t.selection != kNoSelection) elements.at(t.selection) += t.n;
  }
  for (std::size_t j = 0; j < elements.size(); ++j) kept.push_back(kept_of(keep[j], elements[j]));
  return kept;
}

Borrowed vector_beside(const Borrowed& x, const py::object& given, const char* name, DType dtype) {
  Borrowed b = Borrowed::any(given, name, py::none(), &x);
  check_dtype(b, dtype, x);
  if (b.array.ndim != 1 || !is_c_order(b.array) || b.array.size() == 0) {
    throw py::value_error(std::string(name) + " has shape " + shape_text(b.array) +
                          "; a dense vector is needed");
  }
  return b;
}

}  // namespace

// Learning rates and count of a step, lent for one call.
class Plan::RatesOnDevice {
 public:
  RatesOnDevice(const Plan& plan, const std::vector<Gradient>& grads, const py::object& rates,
                const py::object& count, const py::list& keep)
      : lent_(vector_beside(plan.first(), rates, "rates", DType::float64)),
        count_(vector_beside(plan.first(), count, "count", DType::int64)) {
    if (lent_.array.size() != static_cast<std::int64_t>(plan.groups_.size())) {
      throw py::value_error("rates has shape " + shape_text(lent_.array) + " for " +
                            std::to_string(plan.groups_.size()) + " groups");
    }
    rates_.steps = static_cast<long long*>(count_.array.data);
    for (const Gradient& g : grads) {
      const std::size_t group = plan.entries_[g.entry].group;
      rates_.rates.push_back(static_cast<const double*>(lent_.array.data) + group);
      rates_.numbers.push_back(plan.groups_[group].rule->settings);
    }
    for (const py::handle k : keep) {
      rates_.densities.push_back(PyFloat_Check(k.ptr()) ? k.cast<double>() : std::nan(""));
    }
  }
  const cuda::DeviceRates* get() const { return &rates_; }

 private:
  Borrowed lent_, count_;
  cuda::DeviceRates rates_;
};

py::tuple Plan::step(const py::list& grads, double t, const std::vector<double>& lrs,
                     double grad_scale, double max_norm, bool statistics, const py::object& rates,
                     const py::object& count, const py::list& keep) {
  begin(grad_scale);
  const std::vector<Gradient> lent = gradients(grads);
  std::vector<Task> tasks = prepared(lent, t, lrs);
  if (rates.is_none()) rank_at_rest(tasks.data(), tasks.size());
  double norm = 0.0;
  Statistics sums;
  cuda::StepCall call{grad_scale,
                      max_norm,
                      nullptr,
                      statistics ? &norm : nullptr,
                      statistics ? &sums : nullptr,
                      kept_in(tasks, keep)};
  if (on_device()) {
    cuda::Backend& serves = backend();
    std::optional<RatesOnDevice> held;
    if (!rates.is_none()) call.device_rates = held.emplace(*this, lent, rates, count, keep).get();
    py::gil_scoped_release released;
    cuda::run(serves, first().stream, tasks, call);
  } else {
    py::gil_scoped_release released;
    run_on_cpu(lent, call, &tasks);
  }
  for (const Gradient& g : lent) {
    if (entries_[g.entry].steps()) entries_[g.entry].take_step();
  }
  return py::make_tuple(max_norm > 0.0 ? py::object(py::float_(norm)) : py::none(),
                        statistics ? py::object(statistics_tuple(sums)) : py::none());
}

void Plan::check(const py::list& grads, double grad_scale, const py::list& keep,
                 const std::vector<double>& lrs) {
  begin(grad_scale);
  if (on_device()) backend();
  kept_in(prepared(gradients(grads), 1.0, lrs), keep);
}

void Plan::begin(double grad_scale) {
  for (const Entry& e : entries_) check_grad_scale(grad_scale, e.arrays.task().dtype);
  if (on_device()) follow_stream();
}

// The stream may have changed since the last step.
void Plan::follow_stream() {
  const py::object x = py::reinterpret_borrow<py::tuple>(keep_[0])[0];
  const cuda::Stream stream = current_stream(x, first().array.device_id);
  for (Entry& e : entries_) e.arrays.work_on(stream);
}

std::vector<Plan::Gradient> Plan::gradients(const py::list& grads) const {
  if (grads.size() != entries_.size()) {
    throw py::value_error("there are " + std::to_string(grads.size()) + " gradients for " +
                          std::to_string(entries_.size()) + " parameters");
  }
  std::vector<Gradient> lent;
  lent.reserve(entries_.size());
  for (std::size_t k = 0; k < entries_.size(); ++k) {
    if (entries_[k].steps() && grads[k].is_none()) continue;
    naming("grads", k, [&] {
      lent.push_back({k, entries_[k].arrays.gradient(grads[k], dtype_)});
      owned_.check_apart(lent.back().lent);
    });
  }
  return lent;
}

std::vector<Task> Plan::prepared(const std::vector<Gradient>& grads, double t,
                                 const std::vector<double>& lrs) const {
  std::vector<Task> tasks;
  tasks.reserve(grads.size());
  double last = 0.0;
  for (const Gradient& g : grads) {
    const Entry& entry = entries_[g.entry];
    const double lr = lrs.empty() ? std::nan("") : lrs.at(entry.group);
    const double now = entry.steps() ? entry.taken(*entry.steps()) + 1.0 : t;
    check_lr(lr);
    tasks.push_back(entry.arrays.task());
    tasks.back().g = g.lent.array.data;
    tasks.back().narrowing.random = StepArguments::stream(seed_, now, entry.place);
    if (tasks.size() > 1 && now == last && share_step(g.entry, grads[tasks.size() - 2].entry)) {
      static_cast<RuleStep&>(tasks.back()) = tasks[tasks.size() - 2];
    } else {
      const Group& group = groups_[entry.group];
      group.rule->apply(now, lr, group.euclidean, &tasks.back());
    }
    last = now;
  }
  return tasks;
}

// Whether two arrays step by the same constants at the same time.
bool Plan::share_step(std::size_t k, std::size_t other) const {
  return entries_[k].group == entries_[other].group &&
         entries_[k].arrays.task().dtype == entries_[other].arrays.task().dtype;
}

void Plan::run_on_cpu(const std::vector<Gradient>& grads, const cuda::StepCall& call,
                      std::vector<Task>* tasks) {
  double grad_scale = call.grad_scale;
  if (call.max_norm > 0.0) {
    std::vector<Array> plain;
    for (std::size_t k = 0; k < grads.size(); ++k) {
      if (!(*tasks)[k].directed) plain.push_back(grads[k].lent.array);
    }
    const double norm = std::fabs(grad_scale) * cpu::global_norm(plain);
    if (norm > call.max_norm) grad_scale *= call.max_norm / norm;
    if (call.norm) *call.norm = norm;
  }
  if (!call.keep.empty()) {
    cpu::select({call.keep, grad_scale, call.statistics != nullptr, &ends_}, tasks);
  }
  cpu::run(tasks->data(), static_cast<std::int64_t>(tasks->size()), grad_scale, call.statistics);
}

}  // namespace proxstep::bind
