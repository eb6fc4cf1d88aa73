// What arrays of a table share, found by value: built once for all of them.
#pragma once
#include <cstring>

#include "launcher.hpp"
#include "step.hpp"

namespace proxstep::cuda {

inline bool is_mixed(const Task& t) {
  return t.narrowing.copy || t.narrowing.stochastic || t.narrowing.moments[0];
}
inline int device_rule(const Task& t) {
  return t.rule != kNoRule ? t.rule : t.steps ? kGivenEach : kGiven;
}

// What is set here was zeroed before: settings are compared byte by byte.
template <class C>
void set_penalty(int kind, const double* settings, AnyPenalty<C>* to) {
  const AnyPenalty<C> penalty = make_penalty<C>(kind, settings);
  to->kind = kind;
  std::memcpy(to->held, penalty.held, sizeof penalty.held);
}
template <class C>
void set_step(const Task& t, StepSettings<C>* to) {
  const double* const numbers = t.rule == kNoRule ? &t.step : t.constants;
  op::with_member(Rules{}, device_rule(t), [&](auto member) {
    put<typename decltype(member)::template of<C>>(to->rule.held, numbers);
  });
  set_penalty(t.element.kind, t.element.settings, &to->penalty);
  to->step = static_cast<C>(t.step);
  to->own_step = !t.euclidean;
  to->directed = t.directed;
}

template <class C>
void set_narrowing(const Task& t, const DeviceRates* rates, RuleSettings<C>* to) {
  std::memcpy(to->narrow, t.narrowing.moments, sizeof to->narrow);
  to->stochastic = t.narrowing.stochastic;
  if (!to->stochastic && !to->narrow[0]) return;
  to->random = {t.narrowing.random.seed, t.narrowing.random.step, 0};
  to->steps = rates ? rates->steps : nullptr;
}
template <class C>
void set_rule(const Task& t, const DeviceRates* rates, RuleSettings<C>* to) {
  set_step(t, &to->step);
  to->rule = device_rule(t);
  op::with_member(Rules{}, to->rule, [&](auto member) {
    using Rule = typename decltype(member)::template of<C>;
    to->writes = Rule::extrapolates ? 1 : Rule::stored;
  });
  to->reads_x = t.rule != kNoRule;
  to->steps_differ = t.rule_steps || t.steps;
  if (is_mixed(t)) set_narrowing(t, rates, to);
}

template <class C>
void set_array(const Task& t, int settings, StepArray<C>* to) {
  to->x = t.x;
  to->g = t.rule == kNoRule ? t.source : t.g;
  for (int k = 0; k < op::kMaxSlots; ++k) to->m[k] = static_cast<C*>(t.m[k]);
  if (t.steps) to->m[0] = const_cast<C*>(static_cast<const C*>(t.steps));
  to->weights = static_cast<const C*>(t.element.weights);
  to->n = t.n;
  to->settings = settings;
}
template <class C>
void set_rule_array(const Task& t, int settings, RuleArray<C>* to) {
  set_array(t, settings, to);
  to->copy = t.narrowing.copy;
  to->number = t.narrowing.random.array;
}

// The settings of one table, at most kMostSettings.
template <class Settings>
class SharedSettings {
 public:
  SharedSettings(Settings* table, const DeviceRates* rates) : table_(table), rates_(rates) {}

  // Where the table holds those of a task; kMostSettings where it is full of others.
  int place(const Settings& own, std::size_t task) {
    for (int k = 0; k < count_; ++k) {
      if (std::memcmp(&own, table_ + k, sizeof own) == 0 && shares_rate(tasks_[k], task)) return k;
    }
    if (count_ == kMostSettings) return kMostSettings;
    std::memcpy(static_cast<void*>(table_ + count_), &own, sizeof own);
    tasks_[count_] = task;
    return count_++;
  }
  void clear() { count_ = 0; }
  int count() const { return count_; }
  std::size_t task(int k) const { return tasks_[k]; }  // the first with settings k

 private:
  bool shares_rate(std::size_t a, std::size_t b) const {
    return !rates_ ||
           (rates_->rates[a] == rates_->rates[b] && rates_->numbers[a] == rates_->numbers[b]);
  }

  Settings* table_;
  const DeviceRates* rates_;
  int count_ = 0;
  std::size_t tasks_[kMostSettings] = {};
};

}  // namespace proxstep::cuda
