// From a dtype known at run time to a storage type known at compile time, once per call.
#pragma once
#include "array.hpp"
#include "op/scalar.hpp"

namespace proxstep {

template <class F>
void with_storage(DType dtype, const F& f) {
  switch (dtype) {
    case DType::float64:
      return f(double{});
    case DType::float32:
      return f(float{});
    case DType::bfloat16:
      return f(op::bfloat16{});
    default:
      return f(op::float16{});
  }
}

}  // namespace proxstep
