// The host's side of a launch: arrays, rules and penalties become tables for step_kernel.
#pragma once
#include <cstring>

#include "step_kernel.cuh"

namespace proxstep::cuda {

template <class S>
struct StepArray {
  op::StepArrays<S> arrays;
  long long n;
  int group;
};

// What some arrays share. penalty: its place in the registry; constants: of Rule::constants.
struct StepGroup {
  int penalty;
  const double* constants;
  const double* settings;  // of the penalty
};

template <class C, template <class> class... Ps>
AnyPenalty<C> make_penalty(op::List<Ps...>, int index, const double* settings) {
  static_assert(((sizeof(Ps<C>) <= op::kMaxSettings * sizeof(C)) && ...), "bytes can hold each");
  AnyPenalty<C> any{index, {}};
  int k = 0;
  const auto copy = [&](auto penalty) { std::memcpy(any.bytes, &penalty, sizeof penalty); };
  ((k++ == index ? copy(Ps<C>(settings)) : void()), ...);
  return any;
}

// Rules and penalties of all groups, at most kMostGroups.
template <class S, class Rule, int capacity>
void set_groups(StepTable<S, Rule, capacity>& table, const StepGroup* groups, int count) {
  for (int k = 0; k < count; ++k) {
    const Rule rule(groups[k].constants);
    std::memcpy(table.rules[k], &rule, sizeof rule);
    table.penalties[k] =
        make_penalty<op::compute_t<S>>(op::Penalties{}, groups[k].penalty, groups[k].settings);
  }
}

// Calls launch(table, blocks) until all arrays were in a table: once for up to capacity of them.
template <class S, class Rule, int capacity, class Launch>
void launch_tables(const StepArray<S>* arrays, int count, const StepGroup* groups, int group_count,
                   double grad_scale, const Launch& launch) {
  StepTable<S, Rule, capacity> table;
  table.grad_scale = op::compute_t<S>(grad_scale);
  set_groups(table, groups, group_count);
  for (int begin = 0; begin < count; begin += capacity) {
    table.count = op::least(capacity, count - begin);
    table.first_block[0] = 0;
    for (int k = 0; k < table.count; ++k) {
      const StepArray<S>& array = arrays[begin + k];
      table.arrays[k] = array.arrays;
      table.n[k] = array.n;
      table.group[k] = static_cast<unsigned char>(array.group);
      const long long blocks = (array.n + kChunk<S> - 1) / kChunk<S>;
      table.first_block[k + 1] = table.first_block[k] + static_cast<int>(blocks);
    }
    if (table.first_block[table.count] > 0) launch(table, table.first_block[table.count]);
  }
}

}  // namespace proxstep::cuda
