// The list of all kernels by the names that Launch uses.
#pragma once
#include <string>
#include <utility>

#include "names.hpp"
#include "norm_kernel.cuh"
#include "settings_kernel.cuh"
#include "step_kernel.cuh"

namespace proxstep::cuda {

template <class S, class Add, int... rules>
void each_step_kernel(const Add& add, std::integer_sequence<int, rules...>) {
  (add(step_kernel_name<S>(rules, kFew), &step_kernel<S, rules, kFew>), ...);
  (add(step_kernel_name<S>(rules, kMany), &step_kernel<S, rules, kMany>), ...);
}

// Calls add(name, kernel) for those of one storage type.
template <class S, class Add>
void each_kernel(const Add& add) {
  each_step_kernel<S>(add, std::make_integer_sequence<int, Rules::size>());
  add(kernel_name<S>("value_kernel"), &value_kernel<S>);
  add(kernel_name<S>("norm_kernel"), &norm_kernel<S>);
}

// For those of one compute type.
template <class C, class Add>
void each_compute_kernel(const Add& add) {
  add(kernel_name<C>("sum_kernel"), &sum_kernel<C>);
  add(kernel_name<C>("settings_kernel"), &settings_kernel<C>);
}

template <class Add>
void each_plain_kernel(const Add& add) {
  add(kernel_name<void>("clip_kernel"), &clip_kernel<void>);
  add(kernel_name<void>("advance_kernel"), &advance_kernel<void>);
}

template <class Add>
void each_kernel_of_all(const Add& add) {
  each_kernel<double>(add);
  each_kernel<float>(add);
  each_kernel<op::bfloat16>(add);
  each_kernel<op::float16>(add);
  each_compute_kernel<double>(add);
  each_compute_kernel<float>(add);
  each_plain_kernel(add);
}

}  // namespace proxstep::cuda
