// What the two losses take from Python, checked.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "borrowed.hpp"

namespace proxstep::bind {

std::string shaped(const Borrowed& b);  // "x has shape (3, 4)"

// Index in op::Losses; the number of settings must fit.
int loss_kind(const std::string& name, const std::vector<double>& settings);

// axes: what they stand for.
void check_loss_input(const Borrowed& b, int ndim, const char* axes);

// Arguments that both losses share, beside what is differentiated. Without value nothing is
// returned and nothing waits for a device.
struct LossArguments {
  LossArguments(const Borrowed& input, py::handle grad, py::handle weights, double scale,
                bool value);
  void check_apart(const Borrowed& read) const;  // from the gradient
  void* grad_data() const { return grad ? grad->array.data : nullptr; }
  const void* weights_data() const { return weights ? weights->array.data : nullptr; }
  py::object answer(double loss) const { return value ? py::object(py::float_(loss)) : py::none(); }

  std::optional<Borrowed> grad, weights;
  double scale;
  bool value;
};

// Labels, one a row, or probabilities of the logits' shape and dtype.
Borrowed softmax_targets(py::handle object, const Borrowed& logits);

}  // namespace proxstep::bind
