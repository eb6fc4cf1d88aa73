#include "registry.hpp"

#include <cstring>
#include <type_traits>

#include "../op/loss.hpp"
#include "../op/step.hpp"

namespace proxstep::cpu {
namespace {

template <class Rule>
constexpr bool stays_zero = Rule::slots == 0 || std::is_same_v<Rule, op::Adagrad<double>>;

template <template <class> class... Rs>
const RuleInfo* rules(op::List<Rs...>) {
  static const RuleInfo all[] = {{Rs<double>::name, Rs<double>::settings, Rs<double>::slots,
                                  Rs<double>::stored, Rs<double>::scalar_step,
                                  Rs<double>::extrapolates, stays_zero<Rs<double>>,
                                  Rs<double>::constants}...};
  return all;
}

template <template <class> class... Ps>
const PenaltyInfo* penalties(op::List<Ps...>) {
  static const PenaltyInfo all[] = {{Ps<double>::name, Ps<double>::settings}...};
  return all;
}

template <template <class> class... Ls>
const LossInfo* losses(op::List<Ls...>) {
  static const LossInfo all[] = {
      {Ls<double>::name, Ls<double>::settings, Ls<double>::least_bend}...};
  return all;
}

template <class Info>
int find(const char* name, int count, const Info& (*info)(int kind)) {
  for (int k = 0; k < count; ++k) {
    if (std::strcmp(info(k).name, name) == 0) return k;
  }
  return -1;
}

}  // namespace

int rule_count() { return op::Rules::size; }
int penalty_count() { return op::Penalties::size; }
int loss_count() { return op::Losses::size; }
const RuleInfo& rule_info(int kind) { return rules(op::Rules{})[kind]; }
const PenaltyInfo& penalty_info(int kind) { return penalties(op::Penalties{})[kind]; }
const LossInfo& loss_info(int kind) { return losses(op::Losses{})[kind]; }

int find_rule(const char* name) { return find(name, rule_count(), rule_info); }
int find_penalty(const char* name) { return find(name, penalty_count(), penalty_info); }
int find_loss(const char* name) { return find(name, loss_count(), loss_info); }

}  // namespace proxstep::cpu
