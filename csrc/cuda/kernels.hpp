// The list of all kernels by the names that Launch uses.
#pragma once
#include <string>
#include <utility>

#include "all_kernels.cuh"
#include "names.hpp"

namespace proxstep::cuda {

template <class S, int capacity, class Add, int... rules>
void each_step_kernel(const Add& add, std::integer_sequence<int, rules...>) {
  (add(step_kernel_name<S>(rules, capacity), &step_kernel<S, rules, capacity>), ...);
}

// By the set that is projected onto.
template <class S, template <class> class Goal, class Add>
void each_rows_kernel(const std::string& goal, const Add& add) {
  add(rows_kernel_name<S>(goal + ", 32"), &rows_kernel<S, Goal, kWarp>);
  add(rows_kernel_name<S>(goal + ", 256"), &rows_kernel<S, Goal, kThreads>);
}
template <class S, class Add>
void each_project_kernel(const Add& add) {
  each_rows_kernel<S, Ball>("proxstep::cuda::Ball", add);
  each_rows_kernel<S, TopK>("proxstep::cuda::TopK", add);
  add(kernel_name<S>("survey_kernel"), &survey_kernel<S>);
  add(kernel_name<S>("begin_kernel"), &begin_kernel<S>);
  add(kernel_name<S>("bins_kernel"), &bins_kernel<S>);
  add(kernel_name<S>("digit_kernel"), &digit_kernel<S>);
  add(kernel_name<S>("write_kernel"), &write_kernel<S>);
}

// A prox without a rule is of one array.
template <class S, class Add>
void each_step_kernel(const Add& add) {
  each_step_kernel<S, kFew>(add, std::make_integer_sequence<int, Rules::size>());
  each_step_kernel<S, kMany>(add, std::make_integer_sequence<int, kGiven>());
}

template <class S, class Add>
void each_select_kernel(const Add& add) {
  add(kernel_name<S>("rank_kernel", kFew), &rank_kernel<S, kFew>);
  add(kernel_name<S>("rank_kernel", kManyRanked), &rank_kernel<S, kManyRanked>);
  add(kernel_name<S>("keep_kernel", kFew), &keep_kernel<S, kFew>);
  add(kernel_name<S>("keep_kernel", kManyRanked), &keep_kernel<S, kManyRanked>);
}

template <class S, class Add>
void each_level_kernel(const Add& add) {
  add(kernel_name<S>("sizes_kernel", kFew), &sizes_kernel<S, kFew>);
  add(kernel_name<S>("sizes_kernel", kManyQuantized), &sizes_kernel<S, kManyQuantized>);
  add(kernel_name<S>("quantize_kernel", kFew), &quantize_kernel<S, kFew>);
  add(kernel_name<S>("quantize_kernel", kManyQuantized), &quantize_kernel<S, kManyQuantized>);
}

// Those of a mixed layout.
template <class S, class Add>
void each_mixed_kernel(const Add& add) {
  add(kernel_name<S>("mixed_kernel", kFew), &mixed_kernel<S, kFew>);
  add(kernel_name<S>("mixed_kernel", kManyRuled), &mixed_kernel<S, kManyRuled>);
  add(kernel_name<S>("group_kernel", kManyGrouped), &group_kernel<S, kManyGrouped>);
  add(kernel_name<S>("nm_kernel", kManyRuled), &nm_kernel<S, kManyRuled>);
  add(kernel_name<S>("sizes_kernel", kManyQuantized), &sizes_kernel<S, kManyQuantized>);
  add(kernel_name<S>("quantize_kernel", kManyQuantized), &quantize_kernel<S, kManyQuantized>);
  add(kernel_name<S>("rank_kernel", kManyRanked), &rank_kernel<S, kManyRanked>);
  add(kernel_name<S>("keep_kernel", kManyRanked), &keep_kernel<S, kManyRanked>);
}

// Those of a language model's layers.
template <class T, class Add>
void each_layer_kernel(const Add& add) {
  add(kernel_name<T>("layer_norm_kernel"), &layer_norm_kernel<T>);
  add(kernel_name<T>("layer_norm_slope_kernel"), &layer_norm_slope_kernel<T>);
  add(kernel_name<T>("channel_sums_kernel"), &channel_sums_kernel<T>);
  add(kernel_name<T>("gelu_kernel"), &gelu_kernel<T>);
  add(kernel_name<T>("gelu_slope_kernel"), &gelu_slope_kernel<T>);
  add(kernel_name<T>("attention_kernel"), &attention_kernel<T>);
  add(kernel_name<T>("attention_queries_kernel"), &attention_queries_kernel<T>);
  add(kernel_name<T>("attention_keys_kernel"), &attention_keys_kernel<T>);
}

// Those of a compute type, by its storage; and those of none.
template <class C, class Add>
void each_compute_kernel(const Add& add) {
  add(kernel_name<C>("sum_kernel"), &sum_kernel<C>);
  add(kernel_name<C>("settings_kernel"), &settings_kernel<C>);
  add(kernel_name<C>("start_kernel"), &start_kernel<C>);
  add(kernel_name<C>("moves_kernel"), &moves_kernel<C>);
  add(kernel_name<C>("cut_kernel"), &cut_kernel<C>);
  add(kernel_name<C>("softmax_narrow_kernel"), &softmax_narrow_kernel<C>);
  add(kernel_name<C>("softmax_wide_kernel"), &softmax_wide_kernel<C>);
  add(kernel_name<C>("logistic_kernel"), &logistic_kernel<C>);
  each_layer_kernel<C>(add);
}
template <class Add>
void each_plain_kernel(const Add& add) {
  add(kernel_name<void>("clip_kernel"), &clip_kernel<void>);
  add(kernel_name<void>("advance_kernel"), &advance_kernel<void>);
  add(kernel_name<void>("label_kernel"), &label_kernel<void>);
  add(kernel_name<void>("first_kernel"), &first_kernel<void>);
  add(kernel_name<void>("loss_sum_kernel"), &loss_sum_kernel<void>);
}

// Calls add(name, kernel) for those of a storage type. Every kernel belongs to one of them.
template <class S, class Add>
void each_kernel(const Add& add) {
  each_step_kernel<S>(add);
  add(kernel_name<S>("group_kernel", kFew), &group_kernel<S, kFew>);
  add(kernel_name<S>("group_kernel", kManyGrouped), &group_kernel<S, kManyGrouped>);
  add(kernel_name<S>("group_value_kernel"), &group_value_kernel<S>);
  add(kernel_name<S>("nm_kernel", kFew), &nm_kernel<S, kFew>);
  add(kernel_name<S>("nm_kernel", kManyRuled), &nm_kernel<S, kManyRuled>);
  add(kernel_name<S>("nm_value_kernel"), &nm_value_kernel<S>);
  each_level_kernel<S>(add);
  each_select_kernel<S>(add);
  add(kernel_name<S>("value_kernel"), &value_kernel<S>);
  add(kernel_name<S>("norm_kernel"), &norm_kernel<S>);
  each_project_kernel<S>(add);
  if constexpr (sizeof(S) <= 4) each_mixed_kernel<Mixed<S, S>>(add);
  if constexpr (sizeof(S) == 2) each_mixed_kernel<Mixed<float, S>>(add);
  if constexpr (sizeof(S) >= 4) each_compute_kernel<S>(add);
  if constexpr (sizeof(S) == 8) each_plain_kernel(add);
}

}  // namespace proxstep::cuda
