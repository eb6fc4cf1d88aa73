// Many arrays in one native call: checked once, one job for the pool a step.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "../cpu/registry.hpp"
#include "../cpu/select.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"
#include "task.hpp"

namespace proxstep::bind {
namespace {

// Runs a check of one array of many; its errors then say which.
template <class Check>
void naming(const char* list, std::size_t k, const Check& check) {
  const auto prefix = [&] { return std::string(list) + "[" + std::to_string(k) + "]: "; };
  try {
    check();
  } catch (const py::value_error& error) {
    throw py::value_error(prefix() + error.what());
  } catch (const py::type_error& error) {
    throw py::type_error(prefix() + error.what());
  }
}

class Plan {
 public:
  Plan(py::object dtype, std::uint64_t seed, bool stochastic)
      : dtype_(std::move(dtype)), seed_(seed), stochastic_(stochastic) {}

  void add_group(const py::object& rule, bool euclidean) {
    groups_.push_back({rule, rule.cast<const RuleSpec*>(), euclidean});
  }

  // Another rule of the same kind, from the next step on.
  void set_rule(std::size_t group, const py::object& rule) {
    const auto* const spec = rule.cast<const RuleSpec*>();
    if (spec->kind != groups_.at(group).rule->kind) {
      throw py::value_error("a group keeps its kind of rule: its moments belong to it");
    }
    groups_[group] = {rule, spec, groups_[group].euclidean};
  }

  // count: None, or the array's own count of steps, a float32 in CPU memory that steps advance.
  // Such an array may go without a gradient. master: None, or what is stepped instead of a 16-bit
  // x. selection: among which elements x's have to be the largest to stay.
  void add(std::size_t group, const py::object& x, const py::tuple& moments,
           const py::object& penalty, const py::object& count, const py::object& master,
           int selection) {
    naming("params", entries_.size(), [&] {
      entries_.emplace_back(x, moments, *groups_.at(group).rule, penalty.cast<const PenaltySpec*>(),
                            dtype_);
      check_place(entries_.back().x(), &entries_.front().x());
      if (!master.is_none()) entries_.back().step_master(master);
      if (stochastic_) entries_.back().round_stochastically();
      counts_.push_back(count.is_none() ? Borrowed() : own_count(count));
    });
    group_of_.push_back(group);
    if (selection != kNoSelection) select(selection);
    keep_.append(py::make_tuple(x, moments, penalty, count, master));
  }

  // Of an array that is drawn to levels, from the next step on.
  void set_rho(std::size_t entry, double rho) { entries_.at(entry).set_rho(rho); }

  bool on_device() const { return !entries_.empty() && entries_.front().x().on_device(); }

  // Arrays of different entries must not share memory; called once all are added.
  void check_overlaps() {
    owned_.clear();
    for (const StepArguments& e : entries_) {
      own(e.x());
      for (const Borrowed& b : e.kept()) own(b);
    }
    std::sort(owned_.begin(), owned_.end());
    for (std::size_t k = 1; k < owned_.size(); ++k) {
      check_no_overlap(*owned_[k - 1].array, *owned_[k].array);
    }
  }

  // t: of arrays without a count of their own. lrs: one per group, or empty for the rules' own.
  // max_norm <= 0: no clipping. rates and count: None, or in the device's memory the learning rates
  // of the groups and the count of steps. keep: what stays of each selection.
  // Returns (gradient norm or None, statistics or None).
  py::tuple step(const py::list& grads, double t, const std::vector<double>& lrs, double grad_scale,
                 double max_norm, bool statistics, const py::object& rates, const py::object& count,
                 const py::list& keep) {
    for (const StepArguments& e : entries_) check_grad_scale(grad_scale, e.task().dtype);
    if (on_device()) follow_stream();
    const std::vector<Gradient> lent = gradients(grads);
    std::vector<Task> tasks = prepared(lent, t, lrs);
    const std::vector<std::int64_t> kept = kept_in(tasks, keep);
    double norm = 0.0;
    Statistics sums;
    cuda::StepCall call{grad_scale, max_norm, nullptr, statistics ? &norm : nullptr,
                        statistics ? &sums : nullptr};
    if (on_device()) {
      cuda::Backend& serves = backend();
      std::optional<RatesOnDevice> held;
      if (!rates.is_none()) call.device_rates = &held.emplace(*this, lent, rates, count).rates;
      py::gil_scoped_release released;
      cuda::run(serves, entries_.front().x().stream, tasks, call);
    } else {
      py::gil_scoped_release released;
      run_on_cpu(lent, kept, call, &tasks);
    }
    for (const Gradient& g : lent) advance(g.entry);
    return py::make_tuple(max_norm > 0.0 ? py::object(py::float_(norm)) : py::none(),
                          statistics ? py::object(statistics_tuple(sums)) : py::none());
  }

 private:
  struct Owned {
    const void* begin;  // a copy, so that a search stays in a few lines of memory
    const Borrowed* array;
    bool operator<(const Owned& other) const { return begin < other.begin; }
  };
  void own(const Borrowed& b) {
    if (b.array.size()) owned_.push_back({b.array.data, &b});
  }
  // The owned arrays lie apart, so only the neighbours of g can touch it.
  void check_apart_from_owned(const Borrowed& g) const {
    const auto next = std::upper_bound(owned_.begin(), owned_.end(), Owned{g.array.data, &g});
    if (next != owned_.end()) check_no_overlap(g, *next->array);
    if (next != owned_.begin()) check_no_overlap(g, *(next - 1)->array);
  }

  // The stream may have changed since the last step.
  void follow_stream() {
    const py::object first = py::reinterpret_borrow<py::tuple>(keep_[0])[0];
    const cuda::Stream stream = current_stream(first, entries_.front().x().array.device_id);
    for (StepArguments& e : entries_) e.work_on(stream);
  }

  static Borrowed own_count(const py::object& count) {
    Borrowed b = Borrowed::output(count, "count");
    if (b.on_device() || b.array.dtype != DType::float32 || b.array.size() != 1) {
      throw py::value_error("count must be one float32 in CPU memory, it is " +
                            std::string(dtype_name(b.array.dtype)) + " of shape " +
                            shape_text(b.array));
    }
    return b;
  }
  float* count_of(std::size_t entry) const {
    return static_cast<float*>(counts_[entry].array.data);
  }
  void advance(std::size_t entry) const {
    if (float* const count = count_of(entry)) *count += 1.0F;
  }

  struct Gradient {
    std::size_t entry;
    Borrowed lent;
  };

  void run_on_cpu(const std::vector<Gradient>& grads, const std::vector<std::int64_t>& kept,
                  const cuda::StepCall& call, std::vector<Task>* tasks) {
    double grad_scale = call.grad_scale;
    if (call.max_norm > 0.0) {
      const double norm = std::fabs(grad_scale) * norm_of(grads);
      if (norm > call.max_norm) grad_scale *= call.max_norm / norm;
      if (call.norm) *call.norm = norm;
    }
    if (!kept.empty()) {
      cpu::select({kept, grad_scale, call.statistics != nullptr, &ends_}, tasks);
    }
    cpu::run(tasks->data(), static_cast<std::int64_t>(tasks->size()), grad_scale, call.statistics);
  }

  // The newest entry takes part in a selection, whose scores must be of one kind.
  void select(int selection) {
    StepArguments& newest = entries_.back();
    naming("params", entries_.size() - 1, [&] {
      check_selectable(newest.x());
      for (std::size_t k = 0; k + 1 < entries_.size(); ++k) {
        if (entries_[k].task().selection == selection) return check_same_scores(k);
      }
    });
    newest.take_part(selection);
  }
  // Element k and the newest.
  void check_same_scores(std::size_t k) const {
    const DType own = entries_.back().x().array.dtype, other = entries_[k].x().array.dtype;
    const std::string beside = "; params[" + std::to_string(k) + "], of the same global TopK, ";
    if (compute_type(own) != compute_type(other)) {
      throw py::value_error(std::string("x has dtype ") + dtype_name(own) + beside + "has " +
                            dtype_name(other) + ", whose scores have other digits");
    }
    const Group &own_group = groups_[group_of_.back()], &other_group = groups_[group_of_[k]];
    if (own_group.own_steps() != other_group.own_steps()) {
      throw py::value_error("the prox has " + own_group.steps_text() + beside + "has " +
                            other_group.steps_text());
    }
  }

  // How many elements of each selection stay.
  static std::vector<std::int64_t> kept_in(const std::vector<Task>& tasks, const py::list& keep) {
    std::vector<std::int64_t> elements(keep.size(), 0), kept;
    for (const Task& t : tasks) {
      if (t.selection != kNoSelection) elements.at(t.selection) += t.n;
    }
    for (std::size_t j = 0; j < elements.size(); ++j) kept.push_back(kept_of(keep[j], elements[j]));
    return kept;
  }

  struct Group {
    bool own_steps() const { return !euclidean && !cpu::rule_info(rule->kind).scalar_step; }
    std::string steps_text() const { return own_steps() ? "a step per element" : "one step"; }
    py::object keep;
    const RuleSpec* rule;
    bool euclidean;
  };

  // Learning rates and count of a step, lent for one call.
  struct RatesOnDevice {
    RatesOnDevice(const Plan& plan, const std::vector<Gradient>& grads,
                  const py::object& given_rates, const py::object& given_count)
        : lent(vector(given_rates, "rates", DType::float64, plan)),
          count(vector(given_count, "count", DType::int64, plan)) {
      rates.steps = static_cast<long long*>(count.array.data);
      if (lent.array.size() != static_cast<std::int64_t>(plan.groups_.size())) {
        throw py::value_error("rates has shape " + shape_text(lent.array) + " for " +
                              std::to_string(plan.groups_.size()) + " groups");
      }
      for (const Gradient& g : grads) {
        const std::size_t group = plan.group_of_[g.entry];
        rates.rates.push_back(static_cast<const double*>(lent.array.data) + group);
        rates.numbers.push_back(plan.groups_[group].rule->settings);
      }
    }
    static Borrowed vector(const py::object& given, const char* name, DType dtype,
                           const Plan& plan) {
      const Borrowed* const x = &plan.entries_.front().x();
      Borrowed b = Borrowed::any(given, name, py::none(), x);
      check_dtype(b, dtype, *x);
      if (b.array.ndim != 1 || !is_c_order(b.array) || b.array.size() == 0) {
        throw py::value_error(std::string(name) + " has shape " + shape_text(b.array) +
                              "; a dense vector is needed");
      }
      return b;
    }
    Borrowed lent, count;
    cuda::DeviceRates rates;
  };

  std::vector<Gradient> gradients(const py::list& grads) const {
    if (grads.size() != entries_.size()) {
      throw py::value_error("there are " + std::to_string(grads.size()) + " gradients for " +
                            std::to_string(entries_.size()) + " parameters");
    }
    std::vector<Gradient> lent;
    lent.reserve(entries_.size());
    for (std::size_t k = 0; k < entries_.size(); ++k) {
      if (count_of(k) && grads[k].is_none()) continue;
      naming("grads", k, [&] {
        lent.push_back({k, entries_[k].gradient(grads[k], dtype_)});
        check_apart_from_owned(lent.back().lent);
      });
    }
    return lent;
  }

  std::vector<Task> prepared(const std::vector<Gradient>& grads, double t,
                             const std::vector<double>& lrs) const {
    std::vector<Task> tasks;
    tasks.reserve(grads.size());
    double last = 0.0;
    for (const Gradient& g : grads) {
      const StepArguments& entry = entries_[g.entry];
      const Group& group = groups_[group_of_[g.entry]];
      const double lr = lrs.empty() ? std::nan("") : lrs.at(group_of_[g.entry]);
      const float* const count = count_of(g.entry);
      const double now = count ? double(*count) + 1.0 : t;
      check_lr(lr);
      tasks.push_back(entry.task());
      tasks.back().g = g.lent.array.data;
      tasks.back().narrowing.random = StepArguments::stream(seed_, now, g.entry);
      if (tasks.size() > 1 && now == last && shares_step(g.entry, grads[tasks.size() - 2].entry)) {
        static_cast<RuleStep&>(tasks.back()) = tasks[tasks.size() - 2];
      } else {
        group.rule->apply(now, lr, group.euclidean, &tasks.back());
      }
      last = now;
    }
    return tasks;
  }

  // Whether an array steps by the same constants as another one at the same time.
  bool shares_step(std::size_t k, std::size_t other) const {
    return group_of_[k] == group_of_[other] &&
           entries_[k].task().dtype == entries_[other].task().dtype;
  }

  static double norm_of(const std::vector<Gradient>& grads) {
    std::vector<Array> plain;
    plain.reserve(grads.size());
    for (const Gradient& g : grads) plain.push_back(g.lent.array);
    return cpu::global_norm(plain);
  }

  py::object dtype_;
  std::uint64_t seed_;
  bool stochastic_;
  std::vector<Group> groups_;
  std::vector<StepArguments> entries_;
  std::vector<std::size_t> group_of_;  // each entry
  std::vector<Borrowed> counts_;       // without data where an entry has none
  std::vector<cpu::LastEnd> ends_;     // of the selections
  std::vector<Owned> owned_;           // parameters, moments and masters by address
  py::list keep_;                      // what all the pointers point into
};

}  // namespace

void bind_optimizer(py::module_& m) {
  py::class_<Plan>(m, "Plan", "Arrays, moments, rules and penalties of an optimizer.")
      .def(py::init<py::object, std::uint64_t, bool>(), py::arg("dtype") = py::none(),
           py::arg("seed") = 0, py::arg("stochastic") = false)
      .def("add_group", &Plan::add_group, py::arg("rule"), py::arg("euclidean"))
      .def("set_rule", &Plan::set_rule, py::arg("group"), py::arg("rule"))
      .def("add", &Plan::add, py::arg("group"), py::arg("x"), py::arg("moments"),
           py::arg("penalty"), py::arg("count") = py::none(), py::arg("master") = py::none(),
           py::arg("selection") = kNoSelection)
      .def("set_rho", &Plan::set_rho, py::arg("entry"), py::arg("rho"))
      .def("check_overlaps", &Plan::check_overlaps)
      .def("on_device", &Plan::on_device)
      .def("step", &Plan::step, py::arg("grads"), py::arg("t"), py::arg("lrs"),
           py::arg("grad_scale"), py::arg("max_norm"), py::arg("statistics"),
           py::arg("rates") = py::none(), py::arg("count") = py::none(),
           py::arg("keep") = py::list());
}

}  // namespace proxstep::bind
