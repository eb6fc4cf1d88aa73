// The module's part of products with a lent matrix: adjoint, add_product, gram.
#include <optional>
#include <string>

#include "../cpu/descent/gram.hpp"
#include "../cpu/product.hpp"
#include "../cpu/squares.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "lent_matrix.hpp"
#include "lent_rows.hpp"
#include "loss_arguments.hpp"
#include "messages.hpp"
#include "signals.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

void check_doubles(const Borrowed& b) {
  if (b.array.dtype != DType::float64) {
    throw py::type_error(std::string(b.name) + " has dtype " + dtype_name(b.array.dtype) +
                         "; float64 is needed");
  }
  if (b.on_device()) throw py::value_error(std::string(b.name) + " is not in CPU memory");
  if (!is_c_order(b.array)) throw py::value_error(std::string(b.name) + " is not in C order");
}

// Columns of X by number, in any order; None: all.
class ChosenColumns {
 public:
  ChosenColumns(py::handle object, int64_t p) : columns_{nullptr, p} {
    if (object.is_none()) return;
    lent_.emplace(Borrowed::any(object, "columns"));
    const Array& a = lent_->array;
    if (a.dtype != DType::int64 || a.ndim != 1 || !is_c_order(a)) {
      throw py::type_error(shaped(*lent_) + " and dtype " + dtype_name(a.dtype) +
                           "; one contiguous axis of int64 is needed");
    }
    columns_ = {static_cast<const int64_t*>(a.data), a.shape[0]};
    check_range(p);
  }
  cpu::Chosen columns() const { return columns_; }

 private:
  void check_range(int64_t p) const {
    for (int64_t k = 0; k < columns_.count; ++k) {
      if (columns_.index[k] >= 0 && columns_.index[k] < p) continue;
      throw py::value_error("columns[" + std::to_string(k) + "] is " +
                            std::to_string(columns_.index[k]) + "; X has " + std::to_string(p));
    }
  }
  std::optional<Borrowed> lent_;
  cpu::Chosen columns_;
};

// One row per column or sample, and one output or a row of them.
int64_t outputs_of(const Borrowed& b, int64_t rows) {
  const Array& a = b.array;
  if ((a.ndim != 1 && a.ndim != 2) || a.shape[0] != rows) {
    throw py::value_error(shaped(b) + "; (" + std::to_string(rows) + ",) or (" +
                          std::to_string(rows) + ", k) is needed");
  }
  return a.ndim == 1 ? 1 : a.shape[1];
}

void check_pair(const Borrowed& read, int64_t read_rows, const Borrowed& written,
                int64_t written_rows) {
  check_doubles(read);
  check_doubles(written);
  const int64_t k = outputs_of(read, read_rows);
  if (outputs_of(written, written_rows) != k || written.array.ndim != read.array.ndim) {
    throw py::value_error(shaped(written) + ", " + shaped(read) + "; they need as many outputs");
  }
  check_no_overlap(written, read);
}

void adjoint(const LentMatrix& lent, py::handle residual_object, py::handle out_object,
             py::handle columns_object) {
  const Matrix& X = lent.matrix();
  const ChosenColumns chosen(columns_object, X.p);
  const Borrowed residual = Borrowed::floating(residual_object, "residual");
  const Borrowed out = Borrowed::output(out_object, "out");
  check_pair(residual, X.n, out, chosen.columns().count);
  const int64_t outputs = outputs_of(residual, X.n);
  py::gil_scoped_release released;
  cpu::adjoint(X, chosen.columns(), outputs, static_cast<const double*>(residual.array.data),
               static_cast<double*>(out.array.data));
}

void add_product(const LentMatrix& lent, py::handle x_object, py::handle margins_object,
                 py::handle columns_object) {
  const Matrix& X = lent.matrix();
  const ChosenColumns chosen(columns_object, X.p);
  const Borrowed x = Borrowed::floating(x_object, "x");
  const Borrowed margins = Borrowed::output(margins_object, "margins");
  check_pair(x, chosen.columns().count, margins, X.n);
  const int64_t outputs = outputs_of(margins, X.n);
  py::gil_scoped_release released;
  cpu::add_product(X, chosen.columns(), outputs, static_cast<const double*>(x.array.data),
                   static_cast<double*>(margins.array.data));
}

void mean_squares(const LentMatrix& lent, py::handle out_object, py::handle shares_object,
                  py::handle means_object) {
  const Matrix& X = lent.matrix();
  if (X.n == 0) throw py::value_error("the matrix has no samples; mean squares need one");
  const Borrowed out = Borrowed::output(out_object, "out");
  check_rows_of(out, DType::float64, X.p, kOneAxis);
  Borrowed shares;
  cpu::SquareJob job{lent_vector(shares_object, "shares", X.n, &shares), nullptr};
  if (!means_object.is_none()) {
    const Borrowed means = Borrowed::output(means_object, "means");
    check_rows_of(means, DType::float64, X.p, kOneAxis);
    check_no_overlap(out, means);
    job.means = static_cast<double*>(means.array.data);
  }
  py::gil_scoped_release released;
  cpu::mean_squares(X, job, static_cast<double*>(out.array.data));
}

void gram(const LentMatrix& lent, py::handle out_object, py::handle shares_object,
          py::handle means_object) {
  const Matrix& X = lent.matrix();
  if (X.sparse()) throw py::type_error("a Gram matrix of all columns is that of a dense X");
  if (X.n == 0) throw py::value_error("the matrix has no samples; a Gram matrix needs one");
  const Borrowed out = Borrowed::output(out_object, "out");
  check_rows_of(out, DType::float64, X.p, X.p);
  Borrowed shares, means;
  const double* given = lent_vector(shares_object, "shares", X.n, &shares);
  const double* centres = lent_vector(means_object, "means", X.p, &means);
  if (given) check_no_overlap(out, shares);
  if (centres) check_no_overlap(out, means);
  Signals signals(py::none{});
  {
    py::gil_scoped_release released;
    cpu::gram_of_columns(X, given, centres, static_cast<double*>(out.array.data),
                         [&signals] { return signals.raised(); });
  }
  if (PyErr_Occurred()) throw py::error_already_set();
}

}  // namespace

void bind_product(py::module_& m) {
  m.def("adjoint", &adjoint, py::arg("matrix"), py::arg("residual"), py::arg("out"),
        py::arg("columns") = py::none(), "out becomes X' residual, for the chosen columns.");
  m.def("add_product", &add_product, py::arg("matrix"), py::arg("x"), py::arg("margins"),
        py::arg("columns") = py::none(),
        "Add X x over the chosen columns; where a row of x is 0, nothing is read.");
  m.def("mean_squares", &mean_squares, py::arg("matrix"), py::arg("out"),
        py::arg("shares") = py::none(), py::arg("means") = py::none(),
        "out becomes the mean squares of the columns around their means, which are found, "
        "too; around 0 without means. The shares add up to 1.");
  m.def("gram", &gram, py::arg("matrix"), py::arg("out"), py::arg("shares") = py::none(),
        py::arg("means") = py::none(),
        "out becomes X_c' W X_c of a dense X, centred by these means, if given.");
}

}  // namespace proxstep::bind
