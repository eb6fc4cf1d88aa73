// Many arrays in one native call: checked once, one job for the pool a step.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "bind.hpp"
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
  explicit Plan(py::object dtype) : dtype_(std::move(dtype)) {}

  void add(const py::object& x, const py::tuple& moments, const py::object& rule,
           const py::object& penalty, bool euclidean) {
    const auto* const spec = rule.cast<const RuleSpec*>();
    naming("params", entries_.size(), [&] {
      entries_.emplace_back(x, moments, *spec, penalty.cast<const PenaltySpec*>(), dtype_);
      check_place(entries_.back().x(), &entries_.front().x());
    });
    metrics_.push_back({spec, euclidean});
    keep_.append(py::make_tuple(x, moments, rule, penalty));
  }

  bool on_device() const { return !entries_.empty() && entries_.front().x().on_device(); }

  // Arrays of different entries must not share memory; called once all are added.
  void check_overlaps() {
    owned_.clear();
    for (const StepArguments& e : entries_) {
      own(e.x());
      for (const Borrowed& m : e.moments()) own(m);
    }
    std::sort(owned_.begin(), owned_.end());
    for (std::size_t k = 1; k < owned_.size(); ++k) {
      check_no_overlap(*owned_[k - 1].array, *owned_[k].array);
    }
  }

  // lrs: one per entry, or empty for the rules' own. max_norm <= 0: no clipping.
  // rates and count: None, or in the device's memory the learning rates, of which entry k takes
  // rate_of[k], and the count of steps.
  // Returns (gradient norm or None, statistics or None).
  py::tuple step(const py::list& grads, double t, const std::vector<double>& lrs, double grad_scale,
                 double max_norm, bool statistics, const py::object& rates, const py::object& count,
                 const std::vector<std::size_t>& rate_of) {
    for (const StepArguments& e : entries_) check_grad_scale(grad_scale, e.task().dtype);
    if (on_device()) follow_stream();
    const std::vector<Borrowed> lent = gradients(grads);
    const std::vector<Task> tasks = prepared(lent, t, lrs);
    double norm = 0.0;
    Statistics sums;
    cuda::StepCall call{grad_scale, max_norm, nullptr, statistics ? &norm : nullptr,
                        statistics ? &sums : nullptr};
    if (on_device()) {
      cuda::Backend& serves = backend();
      std::optional<RatesOnDevice> held;
      if (!rates.is_none()) call.device_rates = &held.emplace(*this, rates, count, rate_of).rates;
      py::gil_scoped_release released;
      cuda::run(serves, entries_.front().x().stream, tasks, call);
    } else {
      py::gil_scoped_release released;
      run_on_cpu(lent, tasks, call);
    }
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

  static void run_on_cpu(const std::vector<Borrowed>& grads, const std::vector<Task>& tasks,
                         const cuda::StepCall& call) {
    double grad_scale = call.grad_scale;
    if (call.max_norm > 0.0) {
      const double norm = std::fabs(grad_scale) * norm_of(grads);
      if (norm > call.max_norm) grad_scale *= call.max_norm / norm;
      if (call.norm) *call.norm = norm;
    }
    cpu::run(tasks.data(), static_cast<std::int64_t>(tasks.size()), grad_scale, call.statistics);
  }

  struct RuleInMetric {
    const RuleSpec* rule;
    bool euclidean;
  };

  // Learning rates and count of a step, lent for one call.
  struct RatesOnDevice {
    RatesOnDevice(const Plan& plan, const py::object& given_rates, const py::object& given_count,
                  const std::vector<std::size_t>& rate_of)
        : lent(vector(given_rates, "rates", DType::float64, plan)),
          count(vector(given_count, "count", DType::int64, plan)) {
      rates.steps = static_cast<long long*>(count.array.data);
      const auto groups = static_cast<std::size_t>(lent.array.size());
      for (std::size_t k = 0; k < plan.entries_.size(); ++k) {
        if (rate_of.at(k) >= groups) throw py::index_error("rates has too few elements");
        rates.rates.push_back(static_cast<const double*>(lent.array.data) + rate_of[k]);
        rates.numbers.push_back(plan.metrics_[k].rule->settings);
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

  std::vector<Borrowed> gradients(const py::list& grads) const {
    if (grads.size() != entries_.size()) {
      throw py::value_error("there are " + std::to_string(grads.size()) + " gradients for " +
                            std::to_string(entries_.size()) + " parameters");
    }
    std::vector<Borrowed> lent;
    lent.reserve(entries_.size());
    for (std::size_t k = 0; k < entries_.size(); ++k) {
      naming("grads", k, [&] {
        lent.push_back(entries_[k].gradient(grads[k], dtype_));
        check_apart_from_owned(lent.back());
      });
    }
    return lent;
  }

  std::vector<Task> prepared(const std::vector<Borrowed>& grads, double t,
                             const std::vector<double>& lrs) const {
    std::vector<Task> tasks;
    tasks.reserve(entries_.size());
    for (std::size_t k = 0; k < entries_.size(); ++k) {
      tasks.push_back(entries_[k].task());
      tasks[k].g = grads[k].array.data;
      const double lr = lrs.empty() ? std::nan("") : lrs.at(k);
      check_lr(lr);
      if (k && shares_step(k, lr, lrs)) {
        static_cast<RuleStep&>(tasks[k]) = tasks[k - 1];
      } else {
        metrics_[k].rule->apply(t, lr, metrics_[k].euclidean, &tasks[k]);
      }
    }
    return tasks;
  }

  // Whether array k steps by the same constants as the one before.
  bool shares_step(std::size_t k, double lr, const std::vector<double>& lrs) const {
    return metrics_[k].rule == metrics_[k - 1].rule &&
           metrics_[k].euclidean == metrics_[k - 1].euclidean &&
           entries_[k].task().dtype == entries_[k - 1].task().dtype &&
           (lrs.empty() || lr == lrs[k - 1]);
  }

  static double norm_of(const std::vector<Borrowed>& grads) {
    std::vector<Array> plain;
    plain.reserve(grads.size());
    for (const Borrowed& g : grads) plain.push_back(g.array);
    return cpu::global_norm(plain);
  }

  py::object dtype_;
  std::vector<RuleInMetric> metrics_;
  std::vector<StepArguments> entries_;
  std::vector<Owned> owned_;  // parameters and moments by address
  py::list keep_;             // what all the pointers point into
};

}  // namespace

void bind_optimizer(py::module_& m) {
  py::class_<Plan>(m, "Plan", "Arrays, moments, rules and penalties of an optimizer.")
      .def(py::init<py::object>(), py::arg("dtype") = py::none())
      .def("add", &Plan::add, py::arg("x"), py::arg("moments"), py::arg("rule"), py::arg("penalty"),
           py::arg("euclidean"))
      .def("check_overlaps", &Plan::check_overlaps)
      .def("on_device", &Plan::on_device)
      .def("step", &Plan::step, py::arg("grads"), py::arg("t"), py::arg("lrs"),
           py::arg("grad_scale"), py::arg("max_norm"), py::arg("statistics"),
           py::arg("rates") = py::none(), py::arg("count") = py::none(),
           py::arg("rate_of") = std::vector<std::size_t>());
}

}  // namespace proxstep::bind
