// softmax_cross_entropy and logistic_loss: every check comes before the first write.
#include <cmath>
#include <optional>
#include <string>

#include "../cpu/loss.hpp"
#include "bind.hpp"
#include "task.hpp"
#include "tensor.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

std::string shaped(const Borrowed& b) {
  return std::string(b.name) + " has shape " + shape_text(b.array);
}

void check_loss_input(const Borrowed& b, int ndim, const char* axes) {
  if (itemsize(b.array.dtype) == 2) {
    throw py::type_error(std::string(b.name) + " has dtype " + dtype_name(b.array.dtype) +
                         "; losses take float32 or float64");
  }
  check_cpu(b, "losses run on the CPU");
  if (b.array.ndim != ndim) throw py::value_error(shaped(b) + "; " + axes + " is needed");
  if (!is_c_order(b.array)) throw py::value_error(std::string(b.name) + " is not in C order");
}

void check_scale(double scale) {
  if (!std::isfinite(scale)) {
    throw py::value_error("scale is " + number_text(scale) + "; it must be finite");
  }
}

// Arguments that both losses share: what is differentiated, its gradient and the rows' weights.
struct LossArguments {
  LossArguments(const Borrowed& input, py::handle grad_object, py::handle weights_object) {
    if (!grad_object.is_none()) {
      grad.emplace(Borrowed::output(grad_object, "grad"));
      check_same_dtype(*grad, input);
      check_same_shape(*grad, input);
      check_same_or_apart(*grad, input);
    }
    if (!weights_object.is_none()) {
      weights.emplace(Borrowed::floating(weights_object, "row_weights"));
      check_same_dtype(*weights, input);
      check_rows(*weights, input);
      check_apart(*weights);
    }
  }
  static void check_rows(const Borrowed& b, const Borrowed& input) {
    if (b.array.ndim == 1 && b.array.shape[0] == input.array.shape[0]) return;
    throw py::value_error(shaped(b) + ", " + shaped(input) + "; one a row is needed");
  }
  void check_apart(const Borrowed& read) const {
    if (grad) check_no_overlap(*grad, read);
  }
  void* grad_data() const { return grad ? grad->array.data : nullptr; }
  const void* weights_data() const { return weights ? weights->array.data : nullptr; }

  std::optional<Borrowed> grad, weights;
};

// Labels, one a row, or probabilities of the logits' shape and dtype.
Borrowed softmax_targets(py::handle object, const Borrowed& logits) {
  Borrowed targets = Borrowed::any(object, "targets");
  check_cpu(targets, "losses run on the CPU");
  if (targets.array.dtype != DType::int32 && targets.array.dtype != DType::int64) {
    targets = Borrowed::floating(object, "targets");
    check_same_dtype(targets, logits);
    check_same_shape(targets, logits);
    return targets;
  }
  LossArguments::check_rows(targets, logits);
  if (!is_c_order(targets.array)) throw py::value_error("targets is not contiguous");
  const auto address = reinterpret_cast<std::uintptr_t>(targets.array.data);
  if (address % itemsize(targets.array.dtype) != 0) {
    throw py::value_error("targets is not aligned to its items");
  }
  return targets;
}

template <class Label>
void check_labels(const Label* labels, int64_t rows, int64_t classes) {
  const int64_t row = labels ? cpu::first_bad_label(labels, rows, classes) : -1;
  if (row < 0) return;
  throw py::value_error("targets[" + std::to_string(row) + "] is " + std::to_string(labels[row]) +
                        "; labels of " + std::to_string(classes) + " classes are 0 to " +
                        std::to_string(classes - 1));
}

template <class T>
double run_softmax(const Borrowed& logits, const Borrowed& targets, const LossArguments& arguments,
                   double scale) {
  const void* t = targets.array.data;
  const DType kind = targets.array.dtype;
  cpu::SoftmaxRows<T> job;
  job.classes = logits.array.shape[1];
  job.logits = static_cast<const T*>(logits.array.data);
  job.labels32 = kind == DType::int32 ? static_cast<const std::int32_t*>(t) : nullptr;
  job.labels64 = kind == DType::int64 ? static_cast<const int64_t*>(t) : nullptr;
  job.probabilities = is_floating(kind) ? static_cast<const T*>(t) : nullptr;
  job.grad = static_cast<T*>(arguments.grad_data());
  job.weights = static_cast<const T*>(arguments.weights_data());
  job.scale = scale;
  const int64_t rows = logits.array.shape[0];
  py::gil_scoped_release released;
  check_labels(job.labels32, rows, job.classes);
  check_labels(job.labels64, rows, job.classes);
  return cpu::softmax_cross_entropy(job, rows);
}

double softmax_cross_entropy(py::handle logits_object, py::handle targets_object,
                             py::handle grad_object, py::handle weights_object, double scale) {
  const Borrowed logits = Borrowed::floating(logits_object, "logits");
  check_loss_input(logits, 2, "(rows, classes)");
  const Borrowed targets = softmax_targets(targets_object, logits);
  const LossArguments arguments(logits, grad_object, weights_object);
  arguments.check_apart(targets);
  check_scale(scale);
  if (logits.array.shape[0] == 0) return 0.0;
  if (logits.array.shape[1] == 0) throw py::value_error(shaped(logits) + "; a class is needed");
  return logits.array.dtype == DType::float64
             ? run_softmax<double>(logits, targets, arguments, scale)
             : run_softmax<float>(logits, targets, arguments, scale);
}

template <class T>
double run_logistic(const Borrowed& margin, const Borrowed& targets, const LossArguments& arguments,
                    double scale) {
  const cpu::LogisticRows<T> job{static_cast<const T*>(margin.array.data),
                                 static_cast<const T*>(targets.array.data),
                                 static_cast<T*>(arguments.grad_data()),
                                 static_cast<const T*>(arguments.weights_data()), scale};
  py::gil_scoped_release released;
  return cpu::logistic_loss(job, margin.array.size());
}

double logistic_loss(py::handle margin_object, py::handle targets_object, py::handle grad_object,
                     py::handle weights_object, double scale) {
  const Borrowed margin = Borrowed::floating(margin_object, "margin");
  check_loss_input(margin, 1, "(rows,)");
  const Borrowed targets = Borrowed::floating(targets_object, "targets");
  check_same_dtype(targets, margin);
  check_same_shape(targets, margin);
  const LossArguments arguments(margin, grad_object, weights_object);
  arguments.check_apart(targets);
  check_scale(scale);
  return margin.array.dtype == DType::float64
             ? run_logistic<double>(margin, targets, arguments, scale)
             : run_logistic<float>(margin, targets, arguments, scale);
}

}  // namespace

void bind_loss(py::module_& m) {
  m.def("softmax_cross_entropy", &softmax_cross_entropy, py::arg("logits"), py::arg("targets"),
        py::arg("grad") = py::none(), py::arg("row_weights") = py::none(), py::arg("scale") = 1.0);
  m.def("logistic_loss", &logistic_loss, py::arg("margin"), py::arg("targets"),
        py::arg("grad") = py::none(), py::arg("row_weights") = py::none(), py::arg("scale") = 1.0);
}

}  // namespace proxstep::bind
