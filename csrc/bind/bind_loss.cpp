// softmax_cross_entropy and logistic_loss: every check comes before the first write. Labels in CUDA
// memory are checked there, and only for a caller who waits for the value.
#include <string>

#include "../cpu/loss.hpp"
#include "../cuda/loss.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "device.hpp"
#include "loss_arguments.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

[[noreturn]] void refuse_label(int64_t row, int64_t label, int64_t classes) {
  throw py::value_error("targets[" + std::to_string(row) + "] is " + std::to_string(label) +
                        "; labels of " + std::to_string(classes) + " classes are 0 to " +
                        std::to_string(classes - 1));
}

template <class Label>
void check_labels(const Label* labels, int64_t rows, int64_t classes) {
  const int64_t row = labels ? cpu::first_bad_label(labels, rows, classes) : -1;
  if (row >= 0) refuse_label(row, labels[row], classes);
}

template <class T>
SoftmaxRows<T> softmax_job(const Borrowed& logits, const Borrowed& targets,
                           const LossArguments& arguments) {
  const void* t = targets.array.data;
  const DType kind = targets.array.dtype;
  SoftmaxRows<T> job;
  job.classes = logits.array.shape[1];
  job.logits = static_cast<const T*>(logits.array.data);
  job.labels32 = kind == DType::int32 ? static_cast<const std::int32_t*>(t) : nullptr;
  job.labels64 = kind == DType::int64 ? static_cast<const int64_t*>(t) : nullptr;
  job.probabilities = is_floating(kind) ? static_cast<const T*>(t) : nullptr;
  job.grad = static_cast<T*>(arguments.grad_data());
  job.weights = static_cast<const T*>(arguments.weights_data());
  job.scale = arguments.scale;
  return job;
}

template <class T>
double run_softmax(const SoftmaxRows<T>& job, int64_t rows) {
  py::gil_scoped_release released;
  check_labels(job.labels32, rows, job.classes);
  check_labels(job.labels64, rows, job.classes);
  return cpu::softmax_cross_entropy(job, rows);
}

template <class T>
double run_softmax(const SoftmaxRows<T>& job, int64_t rows, cuda::Stream stream, bool value) {
  cuda::Backend& serves = backend();
  py::gil_scoped_release released;
  if (!value) {
    cuda::softmax_gradient(serves, stream, job, rows);
    return 0.0;
  }
  const cuda::SoftmaxResult found = cuda::softmax_cross_entropy(serves, stream, job, rows);
  if (found.bad_row >= 0) refuse_label(found.bad_row, found.bad_label, job.classes);
  return found.value;
}

py::object softmax_cross_entropy(py::handle logits_object, py::handle targets_object,
                                 py::handle grad_object, py::handle weights_object, double scale,
                                 bool value) {
  const Borrowed logits = Borrowed::floating(logits_object, "logits");
  check_loss_input(logits, 2, "(rows, classes)");
  const Borrowed targets = softmax_targets(targets_object, logits);
  const LossArguments arguments(logits, grad_object, weights_object, scale, value);
  arguments.check_apart(targets);
  const int64_t rows = logits.array.shape[0];
  if (rows == 0) return arguments.answer(0.0);
  if (logits.array.shape[1] == 0) throw py::value_error(shaped(logits) + "; a class is needed");
  const auto run = [&](auto real) {
    const auto job = softmax_job<decltype(real)>(logits, targets, arguments);
    return logits.on_device() ? run_softmax(job, rows, logits.stream, value)
                              : run_softmax(job, rows);
  };
  return arguments.answer(logits.array.dtype == DType::float64 ? run(double{}) : run(float{}));
}

template <class T>
double run_logistic(const LogisticRows<T>& job, const Borrowed& margin, bool value) {
  const int64_t rows = margin.array.size();
  cuda::Backend* const serves = margin.on_device() ? &backend() : nullptr;
  py::gil_scoped_release released;
  if (!serves) return cpu::logistic_loss(job, rows);
  if (value) return cuda::logistic_loss(*serves, margin.stream, job, rows);
  cuda::logistic_gradient(*serves, margin.stream, job, rows);
  return 0.0;
}

py::object logistic_loss(py::handle margin_object, py::handle targets_object,
                         py::handle grad_object, py::handle weights_object, double scale,
                         bool value) {
  const Borrowed margin = Borrowed::floating(margin_object, "margin");
  check_loss_input(margin, 1, "(rows,)");
  const Borrowed targets = Borrowed::floating(targets_object, "targets", py::none(), &margin);
  check_same_dtype(targets, margin);
  check_same_shape(targets, margin);
  const LossArguments arguments(margin, grad_object, weights_object, scale, value);
  arguments.check_apart(targets);
  const auto run = [&](auto real) {
    using T = decltype(real);
    const LogisticRows<T> job{static_cast<const T*>(margin.array.data),
                              static_cast<const T*>(targets.array.data),
                              static_cast<T*>(arguments.grad_data()),
                              static_cast<const T*>(arguments.weights_data()), scale};
    return run_logistic(job, margin, value);
  };
  return arguments.answer(margin.array.dtype == DType::float64 ? run(double{}) : run(float{}));
}

constexpr const char* kAboutLosses =
    "Return scale times the weighted sum of the losses; grad receives the gradient of that. With\n"
    "value=False return None: nothing waits for a device, and labels there are not checked.";

}  // namespace

void bind_loss(py::module_& m) {
  m.def("softmax_cross_entropy", &softmax_cross_entropy, py::arg("logits"), py::arg("targets"),
        py::arg("grad") = py::none(), py::arg("row_weights") = py::none(), py::arg("scale") = 1.0,
        py::arg("value") = true, kAboutLosses);
  m.def("logistic_loss", &logistic_loss, py::arg("margin"), py::arg("targets"),
        py::arg("grad") = py::none(), py::arg("row_weights") = py::none(), py::arg("scale") = 1.0,
        py::arg("value") = true, kAboutLosses);
}

}  // namespace proxstep::bind
