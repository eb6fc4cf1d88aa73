#include "loss_arguments.hpp"

#include <cmath>

#include "../cpu/registry.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

void check_scale(double scale) {
  if (!std::isfinite(scale)) {
    throw py::value_error("scale is " + number_text(scale) + "; it must be finite");
  }
}

void check_one_a_row(const Borrowed& b, const Borrowed& input) {
  if (b.array.ndim == 1 && b.array.shape[0] == input.array.shape[0]) return;
  throw py::value_error(shaped(b) + ", " + shaped(input) + "; one a row is needed");
}

}  // namespace

std::string shaped(const Borrowed& b) {
  return std::string(b.name) + " has shape " + shape_text(b.array);
}

int loss_kind(const std::string& name, const std::vector<double>& settings) {
  const int kind = cpu::find_loss(name.c_str());
  if (kind < 0) throw py::value_error("the core has no loss '" + name + "' of one margin");
  const auto wanted = static_cast<std::size_t>(cpu::loss_info(kind).settings);
  if (settings.size() != wanted) {
    throw py::value_error(name + " takes " + std::to_string(wanted) + " settings, got " +
                          std::to_string(settings.size()));
  }
  return kind;
}

void check_loss_input(const Borrowed& b, int ndim, const char* axes) {
  if (itemsize(b.array.dtype) == 2) {
    throw py::type_error(std::string(b.name) + " has dtype " + dtype_name(b.array.dtype) +
                         "; losses take float32 or float64");
  }
  if (b.array.ndim != ndim) throw py::value_error(shaped(b) + "; " + axes + " is needed");
  if (!is_c_order(b.array)) throw py::value_error(std::string(b.name) + " is not in C order");
}

LossArguments::LossArguments(const Borrowed& input, py::handle grad_object,
                             py::handle weights_object, double given_scale, bool wants_value)
    : scale(given_scale), value(wants_value) {
  check_scale(scale);
  if (!value && grad_object.is_none()) {
    throw py::value_error("value is False and grad is None; one of them must be wanted");
  }
  if (!grad_object.is_none()) {
    grad.emplace(Borrowed::output(grad_object, "grad", py::none(), &input));
    check_same_dtype(*grad, input);
    check_same_shape(*grad, input);
    check_same_or_apart(*grad, input);
  }
  if (!weights_object.is_none()) {
    weights.emplace(Borrowed::floating(weights_object, "row_weights", py::none(), &input));
    check_same_dtype(*weights, input);
    check_one_a_row(*weights, input);
    check_apart(*weights);
  }
}

void LossArguments::check_apart(const Borrowed& read) const {
  if (grad) check_no_overlap(*grad, read);
}

Borrowed softmax_targets(py::handle object, const Borrowed& logits) {
  Borrowed targets = Borrowed::any(object, "targets", py::none(), &logits);
  if (targets.array.dtype != DType::int32 && targets.array.dtype != DType::int64) {
    targets = Borrowed::floating(object, "targets", py::none(), &logits);
    check_same_dtype(targets, logits);
    check_same_shape(targets, logits);
    return targets;
  }
  check_one_a_row(targets, logits);
  if (!is_c_order(targets.array)) throw py::value_error("targets is not contiguous");
  const auto address = reinterpret_cast<std::uintptr_t>(targets.array.data);
  if (address % itemsize(targets.array.dtype) != 0) {
    throw py::value_error("targets is not aligned to its items");
  }
  return targets;
}

}  // namespace proxstep::bind
