#include "lent_rows.hpp"

#include <string>

#include "layout.hpp"
#include "loss_arguments.hpp"
#include "messages.hpp"

namespace proxstep::bind {

void check_rows_anywhere(const Borrowed& b, DType dtype, std::int64_t rows, std::int64_t columns) {
  const Array& a = b.array;
  if (a.dtype != dtype) {
    throw py::type_error(std::string(b.name) + " has dtype " + dtype_name(a.dtype) + "; " +
                         dtype_name(dtype) + " is needed");
  }
  const bool fits = columns == kOneAxis ? a.ndim == 1 : a.ndim == 2 && a.shape[1] == columns;
  if (fits && a.shape[0] == rows && is_c_order(a)) return;
  const std::string more = columns == kOneAxis ? "" : " " + std::to_string(columns);
  throw py::value_error(shaped(b) + "; (" + std::to_string(rows) + "," + more +
                        ") in C order is needed");
}

void check_rows_of(const Borrowed& b, DType dtype, std::int64_t rows, std::int64_t columns) {
  if (b.on_device()) {
    throw py::value_error(std::string(b.name) + " is in CUDA memory; CPU memory is needed");
  }
  check_rows_anywhere(b, dtype, rows, columns);
}

const double* lent_vector(py::handle object, const char* name, std::int64_t rows,
                          Borrowed* borrowed) {
  if (object.is_none()) return nullptr;
  *borrowed = Borrowed::floating(object, name);
  check_rows_of(*borrowed, DType::float64, rows, kOneAxis);
  return static_cast<const double*>(borrowed->array.data);
}

}  // namespace proxstep::bind
