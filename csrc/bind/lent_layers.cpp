#include "lent_layers.hpp"

#include <string>
#include <utility>

#include "checks.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

Borrowed borrow(py::handle object, const char* name, Use use, const Borrowed* like) {
  return use == Use::write ? Borrowed::output(object, name, py::none(), like)
                           : Borrowed::floating(object, name, py::none(), like);
}

void check_first(const Borrowed& b) {
  const Array& a = b.array;
  if (itemsize(a.dtype) == 2) {
    throw py::type_error(std::string(b.name) + " has dtype " + dtype_name(a.dtype) +
                         "; layers take float32 or float64");
  }
  if (a.ndim != 2) {
    throw py::value_error(std::string(b.name) + " has shape " + shape_text(a) +
                          "; (rows, channels) is needed");
  }
}

}  // namespace

LentLayer::LentLayer(py::handle object, const char* name, Use use) {
  held_.reserve(8);
  Borrowed b = borrow(object, name, use, nullptr);
  check_first(b);
  check_rows_anywhere(b, b.array.dtype, b.array.shape[0], b.array.shape[1]);
  keep(std::move(b), use);
}

void* LentLayer::take(py::handle object, const char* name, Use use, std::int64_t rows,
                      std::int64_t columns) {
  Borrowed b = borrow(object, name, use, &held_[0]);
  check_rows_anywhere(b, held_[0].array.dtype, rows, columns);
  return keep(std::move(b), use);
}

void* LentLayer::keep(Borrowed b, Use use) {
  for (std::size_t k = 0; k < held_.size(); ++k) {
    if (use == Use::write || uses_[k] == Use::write) check_no_overlap(b, held_[k]);
  }
  held_.push_back(std::move(b));
  uses_.push_back(use);
  return held_.back().array.data;
}

}  // namespace proxstep::bind
