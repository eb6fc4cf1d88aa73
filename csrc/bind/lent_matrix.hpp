// The design matrix lent by Python: its buffers, their owners, and what was checked of them once.
#pragma once
#include <string>
#include <utility>

#include "../matrix.hpp"
#include "borrowed.hpp"

namespace proxstep::bind {

class LentMatrix {
 public:
  explicit LentMatrix(const py::object& values);  // dense, in C or F order
  // layout: csc or csr.
  LentMatrix(const py::object& values, const py::object& indices, const py::object& starts,
             std::pair<std::int64_t, std::int64_t> shape, const std::string& layout);

  // The same matrix, its columns times these factors in products.
  LentMatrix(const LentMatrix& plain, const py::object& factors);

  const Matrix& matrix() const { return matrix_; }

 private:
  void take_structure(const py::object& indices, const py::object& starts);
  void check_starts() const;
  void check_indices() const;

  py::tuple keep_;  // owners of the buffers
  Borrowed values_, indices_, starts_, factors_;
  Matrix matrix_;
};

}  // namespace proxstep::bind
