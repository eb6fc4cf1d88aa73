// An array whose rows are stepped by themselves: sparse gradients, and rows that rest at zero.
#pragma once
#include <cstdint>
#include <optional>

#include "../cpu/rows.hpp"
#include "task.hpp"

namespace proxstep::bind {

class RowPlan {
 public:
  // taken: steps before the first.
  RowPlan(const py::object& x, const py::tuple& moments, const py::object& rule,
          const py::object& penalty, bool euclidean, std::int64_t taken);

  // The same rows in other memory, or under another penalty or metric.
  void rebind(const py::object& x, const py::tuple& moments, const py::object& rule,
              const py::object& penalty, bool euclidean);

  void step_rows(const RuleSpec& rule, py::handle indices, py::handle values, double grad_scale);
  void step_awake(const RuleSpec& rule, py::handle gradient, double grad_scale);
  // Raises what a step with these would, and changes nothing; indices: None of a dense gradient.
  void check(const py::object& indices, py::handle values, double grad_scale) const;

  bool catch_up(py::handle indices);  // whether any of these rows had steps to make up for
  bool flush();                       // whether any row had
  bool forget();  // all rows count as present; whether one that did not rest has missed steps
  std::int64_t now() const { return rows_.now(); }

 private:
  // Rows that increase, and their gradients.
  struct Sparse {
    const std::int64_t* rows() const { return static_cast<const std::int64_t*>(which.array.data); }
    Borrowed which, values;
  };

  std::int64_t count() const { return own_->x().array.shape[0]; }
  Sparse sparse(py::handle indices, py::handle values) const;
  Borrowed dense(py::handle gradient) const;
  Borrowed lent_indices(py::handle indices) const;
  void take(const RuleSpec& rule, double grad_scale);

  bool euclidean_ = false;
  std::optional<StepArguments> own_;
  py::object keep_;  // what the pointers point into
  cpu::Rows rows_;
};

}  // namespace proxstep::bind
