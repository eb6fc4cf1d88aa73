// The gradients of rows, lent and checked.
#include <algorithm>
#include <string>

#include "checks.hpp"
#include "layout.hpp"
#include "messages.hpp"
#include "row_plan.hpp"

namespace proxstep::bind {

void RowPlan::check(const py::object& indices, py::handle values, double grad_scale) const {
  check_grad_scale(grad_scale, rows_.whole.dtype);
  if (indices.is_none()) {
    dense(values);
  } else {
    sparse(indices, values);
  }
}

RowPlan::Sparse RowPlan::sparse(py::handle indices, py::handle values) const {
  Sparse g{lent_indices(indices), Borrowed::floating(values, "values", py::none(), &own_->x())};
  const std::int64_t n = g.which.array.size();
  for (std::int64_t k = 1; k < n; ++k) {
    if (g.rows()[k] <= g.rows()[k - 1]) {
      throw py::value_error("indices must increase, indices[" + std::to_string(k) + "] is " +
                            std::to_string(g.rows()[k]) + " after " +
                            std::to_string(g.rows()[k - 1]));
    }
  }
  check_same_dtype(g.values, own_->x());
  if (!is_c_order(g.values.array) || g.values.array.size() != n * rows_.width) {
    throw py::value_error("values have shape " + shape_text(g.values.array) + " for " +
                          std::to_string(n) + " rows of " + std::to_string(rows_.width));
  }
  own_->check_apart(g.values);
  return g;
}

Borrowed RowPlan::dense(py::handle gradient) const {
  Borrowed g = own_->gradient(gradient, py::none());
  own_->check_apart(g);
  return g;
}

Borrowed RowPlan::lent_indices(py::handle indices) const {
  Borrowed b = Borrowed::any(indices, "indices", py::none(), &own_->x());
  check_dtype(b, DType::int64, own_->x());
  if (b.array.ndim != 1 || !is_c_order(b.array)) {
    throw py::value_error("indices have shape " + shape_text(b.array) +
                          "; a dense vector is needed");
  }
  const auto* const first = static_cast<const std::int64_t*>(b.array.data);
  const auto* const last = first + b.array.size();
  const auto bad = std::find_if(first, last, [&](std::int64_t r) { return r < 0 || r >= count(); });
  if (bad != last) {
    throw py::value_error("indices hold " + std::to_string(*bad) + ", x has " +
                          std::to_string(count()) + " rows");
  }
  return b;
}

}  // namespace proxstep::bind
