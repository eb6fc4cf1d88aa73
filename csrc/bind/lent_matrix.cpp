#include "lent_matrix.hpp"

#include "../cpu/sparse_check.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "lent_rows.hpp"
#include "loss_arguments.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;
using Layout = Matrix::Layout;

constexpr const char* kLayouts[] = {"columns", "rows", "csc", "csr"};  // in the order of Layout

Layout sparse_layout(const std::string& name) {
  if (name == "csc") return Layout::csc;
  if (name == "csr") return Layout::csr;
  throw py::value_error("layout is '" + name + "'; csc or csr is needed");
}

void check_shape(int64_t n, int64_t p) {
  if (n >= 0 && p >= 0) return;
  throw py::value_error("shape is (" + std::to_string(n) + ", " + std::to_string(p) +
                        "); it must not be negative");
}

Borrowed lent_values(const py::object& object, int ndim) {
  Borrowed values = Borrowed::floating(object, "values");
  if (itemsize(values.array.dtype) == 2) {
    throw py::type_error(std::string("values has dtype ") + dtype_name(values.array.dtype) +
                         "; float64 or float32 is needed");
  }
  if (values.on_device()) throw py::value_error("values is not in CPU memory");
  if (values.array.ndim != ndim) {
    throw py::value_error(shaped(values) + "; it needs " + std::to_string(ndim) + " axes");
  }
  return values;
}

Borrowed lent_integers(const py::object& object, const char* name, const Borrowed& values) {
  Borrowed lent = Borrowed::any(object, name, py::none(), &values);
  const DType dtype = lent.array.dtype;
  if (dtype != DType::int32 && dtype != DType::int64) {
    throw py::type_error(std::string(name) + " has dtype " + dtype_name(dtype) +
                         "; int32 or int64 is needed");
  }
  if (!is_c_order(lent.array)) throw py::value_error(std::string(name) + " is not contiguous");
  if (reinterpret_cast<std::uintptr_t>(lent.array.data) % itemsize(dtype) != 0) {
    throw py::value_error(std::string(name) + " is not aligned to its items");
  }
  return lent;
}

void check_length(const Borrowed& b, int64_t length, const char* why) {
  if (b.array.ndim == 1 && b.array.shape[0] == length) return;
  throw py::value_error(shaped(b) + "; " + std::to_string(length) + " are needed, " + why);
}

int64_t integer_at(const Borrowed& b, int64_t k) {
  return b.array.dtype == DType::int64 ? static_cast<const int64_t*>(b.array.data)[k]
                                       : static_cast<const std::int32_t*>(b.array.data)[k];
}

std::string element_text(const Borrowed& b, int64_t k) {
  return std::string(b.name) + "[" + std::to_string(k) + "] is " + std::to_string(integer_at(b, k));
}

}  // namespace

LentMatrix::LentMatrix(const py::object& values)
    : keep_(py::make_tuple(values)), values_(lent_values(values, 2)) {
  const Array& a = values_.array;
  if (!is_f_order(a) && !is_c_order(a)) {
    throw py::value_error("values has shape " + shape_text(a) + " and strides " + strides_text(a) +
                          " in elements; C or F order is needed");
  }
  matrix_.layout = is_f_order(a) ? Layout::columns : Layout::rows;
  matrix_.dtype = a.dtype;
  matrix_.n = a.shape[0];
  matrix_.p = a.shape[1];
  matrix_.values = a.data;
}

LentMatrix::LentMatrix(const py::object& values, const py::object& indices,
                       const py::object& starts, std::pair<int64_t, int64_t> shape,
                       const std::string& layout)
    : keep_(py::make_tuple(values, indices, starts)), values_(lent_values(values, 1)) {
  check_shape(shape.first, shape.second);
  matrix_.layout = sparse_layout(layout);
  matrix_.dtype = values_.array.dtype;
  matrix_.n = shape.first;
  matrix_.p = shape.second;
  matrix_.values = values_.array.data;
  take_structure(indices, starts);
  check_starts();
  check_indices();
}

LentMatrix::LentMatrix(const LentMatrix& plain, const py::object& factors)
    : keep_(py::make_tuple(py::cast(&plain), factors)), matrix_(plain.matrix_) {
  if (matrix_.factors) throw py::value_error("the matrix has factors already");
  matrix_.factors = lent_vector(factors, "factors", matrix_.p, &factors_);
}

void LentMatrix::take_structure(const py::object& indices, const py::object& starts) {
  const bool csc = matrix_.layout == Layout::csc;
  indices_ = lent_integers(indices, "indices", values_);
  starts_ = lent_integers(starts, "starts", values_);
  check_same_dtype(starts_, indices_);
  check_length(indices_, values_.array.size(), "one a value");
  check_length(starts_, (csc ? matrix_.p : matrix_.n) + 1,
               csc ? "one a column and the end" : "one a row and the end");
  matrix_.index = indices_.array.dtype;
  matrix_.indices = indices_.array.data;
  matrix_.starts = starts_.array.data;
}

void LentMatrix::check_starts() const {
  const int64_t stored = values_.array.size();
  const int64_t bad = cpu::first_bad_start(matrix_, stored);
  if (bad < 0) return;
  throw py::value_error(element_text(starts_, bad) + "; starts rise from 0 to " +
                        std::to_string(stored) + ", the number of values");
}

void LentMatrix::check_indices() const {
  const auto find = [this] {
    py::gil_scoped_release released;
    return cpu::first_bad_index(matrix_);
  };
  const int64_t bad = find();
  if (bad < 0) return;
  const bool csc = matrix_.layout == Layout::csc;
  throw py::value_error(element_text(indices_, bad) + "; those of a " + (csc ? "column" : "row") +
                        " increase within 0 to " +
                        std::to_string((csc ? matrix_.n : matrix_.p) - 1));
}

void bind_matrix(py::module_& m) {
  py::class_<LentMatrix>(m, "Matrix", "The design matrix, lent to native solvers.")
      .def(py::init<const py::object&>(), py::arg("values"))
      .def(py::init<const py::object&, const py::object&, const py::object&,
                    std::pair<int64_t, int64_t>, const std::string&>(),
           py::arg("values"), py::arg("indices"), py::arg("starts"), py::arg("shape"),
           py::arg("layout"))
      .def(
          "times",
          [](const LentMatrix& lent, const py::object& factors) {
            return LentMatrix(lent, factors);
          },
          py::arg("factors"), "The same matrix, its columns times the factors in all products.")
      .def_property_readonly(
          "shape",
          [](const LentMatrix& lent) { return std::make_pair(lent.matrix().n, lent.matrix().p); })
      .def_property_readonly("layout", [](const LentMatrix& lent) {
        return kLayouts[static_cast<int>(lent.matrix().layout)];
      });
}

}  // namespace proxstep::bind
