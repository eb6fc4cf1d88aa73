// Runs checked tasks in a mixed layout on a device, separably; and which layout a task has.
#pragma once
#include <vector>

#include "../storage.hpp"
#include "filler.hpp"

namespace proxstep::cuda {

inline bool share_layout(const Task& a, const Task& b) {
  return a.dtype == b.dtype && is_mixed(a) == is_mixed(b) &&
         a.narrowing.copy_dtype == b.narrowing.copy_dtype;
}

// From a task to its layout known at compile time.
template <class F>
void with_layout(const Task& t, const F& f) {
  if (!is_mixed(t)) return with_storage(t.dtype, f);
  switch (t.g_dtype) {
    case DType::float32:
      return f(Mixed<float, float>{});
    case DType::bfloat16:
      if (t.narrowing.copy) return f(Mixed<float, op::bfloat16>{});
      return f(Mixed<op::bfloat16, op::bfloat16>{});
    default:
      if (t.narrowing.copy) return f(Mixed<float, op::float16>{});
      return f(Mixed<op::float16, op::float16>{});
  }
}

// Steps the tasks at these places of the list, all of one layout.
void run_mixed(const StepRun& run, const std::vector<std::size_t>& places);

}  // namespace proxstep::cuda
