// What a layer borrows: arrays of one dtype in one place, in C order, no output over another.
#pragma once
#include <vector>

#include "borrowed.hpp"
#include "lent_rows.hpp"

namespace proxstep::bind {

enum class Use { read, write };

class LentLayer {
 public:
  // The array that sets the dtype, float32 or float64, and the number of rows and columns.
  LentLayer(py::handle object, const char* name, Use use);

  std::int64_t rows() const { return held_[0].array.shape[0]; }
  std::int64_t columns() const { return held_[0].array.shape[1]; }
  std::int64_t size() const { return held_[0].array.size(); }
  bool on_device() const { return held_[0].on_device(); }
  cuda::Stream stream() const { return held_[0].stream; }
  bool is_double() const { return held_[0].array.dtype == DType::float64; }
  void* first() const { return held_[0].array.data; }

  // Of shape (rows, columns), or (rows,) for kOneAxis.
  void* take(py::handle object, const char* name, Use use, std::int64_t rows,
             std::int64_t columns = kOneAxis);

 private:
  void* keep(Borrowed b, Use use);

  std::vector<Borrowed> held_;
  std::vector<Use> uses_;
};

}  // namespace proxstep::bind
