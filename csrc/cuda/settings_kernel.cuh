// What a captured graph needs: the rules' constants from a learning rate and a step count that lie
// in the device's memory, where the host can change them between two replays.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

template <class C>
__global__ void settings_kernel(const SettingsCall<C> __grid_constant__ call) {
  const int k = threadIdx.x;
  if (k >= call.count) return;
  double numbers[op::kMaxConstants], constants[op::kMaxConstants];
  for (int i = 0; i < op::kMaxConstants; ++i) numbers[i] = call.numbers[k][i];
  numbers[0] = *call.rates[k];
  StepSettings<C>& to = call.to[k];
  op::with_member(op::Rules{}, call.rules[k], [&](auto member) {
    using Rule = typename decltype(member)::template of<C>;
    Rule::constants(numbers, static_cast<double>(*call.steps + 1), constants);
    put<Rule>(to.rule.held, constants);
    to.own_step = !call.euclidean[k];
  });
  to.step = C(constants[0]);
  to.penalty = call.penalties[k];
}

// A template, so that a header can define it.
template <class Unused>
__global__ void advance_kernel(const AdvanceCall __grid_constant__ call) {
  if (threadIdx.x == 0) ++*call.steps;
}

}  // namespace proxstep::cuda
