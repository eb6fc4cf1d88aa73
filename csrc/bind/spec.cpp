#include "spec.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "../cpu/registry.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw py::value_error(message); }

void copy_settings(const std::string& name, const std::vector<double>& given, int wanted,
                   double* to) {
  if (static_cast<int>(given.size()) != wanted) {
    refuse(name + " takes " + std::to_string(wanted) + " settings, got " +
           std::to_string(given.size()));
  }
  std::copy(given.begin(), given.end(), to);
}

int penalty_kind(const std::string& name) {
  const int kind = cpu::find_penalty(name.c_str());
  if (kind < 0) refuse("the core has no penalty '" + name + "'");
  return kind;
}

// Infinite bounds of a box stay; what overflows in the compute type is refused.
template <class Settings>
void check_settings(const Settings& penalty, const Borrowed& x) {
  for (double setting : penalty.settings) {
    if (std::isfinite(setting) && !fits(setting, x.array.dtype)) {
      refuse(std::string("penalty ") + cpu::penalty_info(penalty.kind).name + " has the setting " +
             number_text(setting) + ", too large for " + x.name + " of " +
             dtype_name(x.array.dtype));
    }
  }
}

// The bounds that a 16-bit array can hold, so that a stored prox stays inside the box.
template <class S>
double inside(double bound, bool lower) {
  S stored = op::Storage<S>::pack(static_cast<float>(bound));
  const float rounded = op::to_float(stored);
  const bool outside = lower ? rounded < bound : rounded > bound;
  if (outside && rounded == 0.0F) {
    stored.bits = lower ? 0x0001 : 0x8001;
  } else if (outside) {
    stored.bits += (rounded > 0.0F) == lower ? 1 : -1;
  }
  return op::to_float(stored);
}

void round_box(const Borrowed& x, double* bounds) {
  const bool brain = x.array.dtype == DType::bfloat16;
  for (int k = 0; k < 2; ++k) {
    if (!std::isfinite(bounds[k])) continue;
    bounds[k] =
        brain ? inside<op::bfloat16>(bounds[k], k == 0) : inside<op::float16>(bounds[k], k == 0);
  }
  if (bounds[0] > bounds[1]) {
    refuse(std::string("no ") + dtype_name(x.array.dtype) + " number of " + x.name +
           " lies inside the box");
  }
}

}  // namespace

Numbers::Numbers(std::vector<double> numbers)
    : wide_(std::move(numbers)), narrow_(wide_.begin(), wide_.end()) {}

const void* Numbers::beside(const Borrowed& x) const {
  const bool wide = compute_type(x.array.dtype) == DType::float64;
  const void* const own = wide ? static_cast<const void*>(wide_.data()) : narrow_.data();
  if (!x.on_device()) return own;
  const DeviceCopies& copies = wide ? wide_copies_ : narrow_copies_;
  return copies.on(x.stream, own, wide_.size() * (wide ? sizeof(double) : sizeof(float)));
}

Weights::Weights(py::handle array_or_none) {
  if (array_or_none.is_none()) return;
  using Dense = py::array_t<double, py::array::c_style | py::array::forcecast>;
  const auto copy = py::cast<Dense>(array_or_none);  // settings are copied on purpose
  given_ = true;
  shape_.assign(copy.shape(), copy.shape() + copy.ndim());
  numbers_ = Numbers({copy.data(), copy.data() + copy.size()});
  for (std::int64_t k = 0; k < size(); ++k) {
    const double weight = numbers_.wide()[static_cast<std::size_t>(k)];
    if (!(weight >= 0.0)) {
      refuse("weights[" + std::to_string(k) + "] is " + number_text(weight) +
             "; weights must not be negative or NaN");
    }
  }
}

RuleSpec::RuleSpec(const std::string& name, const std::vector<double>& given, bool is_directed)
    : kind(cpu::find_rule(name.c_str())), directed(is_directed) {
  if (kind < 0) refuse("the core has no rule '" + name + "'");
  copy_settings(name, given, cpu::rule_info(kind).settings, settings);
}

int RuleSpec::slots() const { return cpu::rule_info(kind).slots; }

void RuleSpec::apply(double t, double lr, bool euclidean, Task* task) const {
  const cpu::RuleInfo& info = cpu::rule_info(kind);
  double now[op::kMaxConstants];
  std::copy(std::begin(settings), std::end(settings), now);
  if (!std::isnan(lr)) now[0] = lr;
  info.constants(now, t, task->constants);
  for (double c : task->constants) {
    if (!fits(c, task->dtype)) {
      refuse(std::string("rule ") + info.name + " has no finite step with lr " +
             number_text(now[0]) + " in " + dtype_name(compute_type(task->dtype)));
    }
  }
  task->rule = kind;
  task->extrapolates = info.extrapolates;
  task->step = task->constants[0];
  task->euclidean = euclidean && !info.scalar_step;
  task->rule_steps = !euclidean && !info.scalar_step;
  task->directed = directed;
}

PenaltySpec::PenaltySpec(const std::string& name, const std::vector<double>& settings,
                         py::handle weights)
    : weights_(weights) {
  element_.kind = penalty_kind(name);
  copy_settings(name, settings, cpu::penalty_info(element_.kind).settings, element_.settings);
}

void PenaltySpec::group(const std::string& name, const std::vector<double>& settings,
                        const std::string& over, const std::vector<std::int64_t>& sizes,
                        py::handle weights) {
  groups_.kind = penalty_kind(name);
  copy_settings(name, settings, cpu::penalty_info(groups_.kind).settings, groups_.settings);
  group_weights_ = Weights(weights);
  layout_ = over == "rows"      ? Layout::rows
            : over == "columns" ? Layout::columns
            : over == "heads"   ? Layout::heads
            : over == "blocks"  ? Layout::blocks
                                : Layout::segments;
  if (layout_ == Layout::blocks) block_ = sizes.at(0);
  if (layout_ == Layout::heads) heads_ = sizes.at(0);
  if (layout_ == Layout::segments) {
    offsets_.assign(1, 0);
    for (std::int64_t size : sizes) offsets_.push_back(offsets_.back() + size);
  }
}

void PenaltySpec::apply(const Borrowed& x, Task* task) const {
  task->element = element_;
  check_settings(element_, x);
  static const int box = penalty_kind("box");
  if (element_.kind == box && itemsize(x.array.dtype) == 2) round_box(x, task->element.settings);
  if (weights_.given()) {
    const Array& a = x.array;
    const auto& shape = weights_.shape();
    const bool same =
        static_cast<int>(shape.size()) == a.ndim && std::equal(shape.begin(), shape.end(), a.shape);
    if (!same) {
      Array of_weights;
      of_weights.ndim = static_cast<int>(std::min<std::size_t>(shape.size(), kMaxDim));
      std::copy_n(shape.begin(), of_weights.ndim, of_weights.shape);
      refuse("weights have shape " + shape_text(of_weights) + ", " + x.name + " has shape " +
             shape_text(a));
    }
    if (!is_c_order(a)) refuse(std::string(x.name) + " must be in C order to meet weights");
    task->element.weights = weights_.beside(x);
  }
  if (levels_.given()) return apply_levels(x, task);
  if (layout_ != Layout::none && task->n) apply_groups(x, &task->groups);
  if (nm_.given()) check_blocks(x);
  task->nm = nm_;
}

// Blocks lie in one row, so that those of C order are those of memory.
void PenaltySpec::check_blocks(const Borrowed& x) const {
  const Array& a = x.array;
  const std::string blocks = "blocks of " + std::to_string(nm_.m);
  if (a.ndim == 0 || a.shape[a.ndim - 1] % nm_.m) {
    refuse(blocks + " do not divide the last axis of " + x.name + " of shape " + shape_text(a));
  }
  if (!is_c_order(a)) {
    refuse(std::string(x.name) + " of shape " + shape_text(a) + " must be in C order for " +
           blocks + (is_f_order(a) ? ", it is in F order" : ""));
  }
}

void PenaltySpec::apply_groups(const Borrowed& x, GroupPenalty* groups) const {
  *groups = groups_;
  check_settings(groups_, x);
  const std::int64_t n = x.array.size();
  if (layout_ == Layout::heads) {
    apply_heads(x, groups);
  } else if (layout_ == Layout::rows || layout_ == Layout::columns) {
    apply_axis(x, groups);
  } else {
    if (!is_c_order(x.array)) refuse(std::string(x.name) + " must be in C order for blocks");
    groups->over = Over::segments;
    groups->length = block_;
    groups->count = block_ ? n / block_ : static_cast<std::int64_t>(offsets_.size()) - 1;
    groups->offsets = block_ ? nullptr : offsets_beside(x);
    const std::int64_t covered = block_ ? groups->count * block_ : offsets_.back();
    if (covered != n) {
      refuse((block_ ? "blocks of " + std::to_string(block_) + " do not divide "
                     : "segments of " + std::to_string(covered) + " elements do not cover ") +
             std::string(x.name) + " of " + std::to_string(n));
    }
  }
  groups->weights = group_weights_.beside(x);
  if (group_weights_.given() && group_weights_.size() != groups->count) {
    refuse("there are " + std::to_string(group_weights_.size()) + " group weights for " +
           std::to_string(groups->count) + " groups of " + x.name + " of shape " +
           shape_text(x.array));
  }
}

const std::int64_t* PenaltySpec::offsets_beside(const Borrowed& x) const {
  if (!x.on_device()) return offsets_.data();
  const std::size_t bytes = offsets_.size() * sizeof(std::int64_t);
  return static_cast<const std::int64_t*>(offset_copies_.on(x.stream, offsets_.data(), bytes));
}

// Equal parts of the first axis, which lie in memory one after another.
void PenaltySpec::apply_heads(const Borrowed& x, GroupPenalty* groups) const {
  const Array& a = x.array;
  if (a.ndim == 0 || a.shape[0] % heads_) {
    refuse(std::to_string(heads_) + " heads do not divide the first axis of " + x.name +
           " of shape " + shape_text(a));
  }
  if (!first_is_outermost(a)) refuse(std::string(x.name) + " must be in C order for heads");
  groups->over = Over::segments;
  groups->count = heads_;
  groups->length = a.size() / heads_;
}

// Rows are what one index of the first axis selects, columns what one of the last does. A matrix in
// F order is the transpose of one in C order.
void PenaltySpec::apply_axis(const Borrowed& x, GroupPenalty* groups) const {
  const Array& a = x.array;
  if (a.ndim < 2) {
    refuse(std::string("groups over rows or columns need 2 dimensions or more, ") + x.name +
           " has shape " + shape_text(a));
  }
  const bool first_axis = layout_ == Layout::rows;
  const bool in_memory = first_axis ? first_is_outermost(a) : is_c_order(a);
  const bool transposed = !in_memory && a.ndim == 2;
  if (!in_memory && !transposed) refuse(std::string(x.name) + " must be in C order for groups");
  groups->count = a.shape[first_axis ? 0 : a.ndim - 1];
  groups->length = a.size() / groups->count;
  groups->over = first_axis != transposed ? Over::segments : Over::columns;
}

void bind_specs(py::module_& m) {
  py::class_<RuleSpec>(m, "RuleSpec", "A rule's name and settings.")
      .def(py::init<const std::string&, const std::vector<double>&, bool>(), py::arg("name"),
           py::arg("settings"), py::arg("directed") = false)
      .def_property_readonly("slots", &RuleSpec::slots);
  py::class_<PenaltySpec>(m, "PenaltySpec", "A penalty's name, settings, weights and groups.")
      .def(py::init<const std::string&, const std::vector<double>&, py::handle>(), py::arg("name"),
           py::arg("settings"), py::arg("weights") = py::none())
      .def("group", &PenaltySpec::group, py::arg("name"), py::arg("settings"), py::arg("over"),
           py::arg("sizes"), py::arg("weights") = py::none())
      .def("keep", &PenaltySpec::keep, py::arg("n"), py::arg("m"))
      .def("quantize", &PenaltySpec::quantize, py::arg("most"), py::arg("per_scale"),
           py::arg("table"), py::arg("rho"), py::arg("scale"), py::arg("multiple"),
           py::arg("scales"))
      .def("quantize_over", &PenaltySpec::quantize_over, py::arg("over"), py::arg("block"));
}

}  // namespace proxstep::bind
