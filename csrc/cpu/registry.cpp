#include "registry.hpp"

#include <cstring>
#include <type_traits>

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

}  // namespace

int rule_count() { return op::Rules::size; }
int penalty_count() { return op::Penalties::size; }
const RuleInfo& rule_info(int kind) { return rules(op::Rules{})[kind]; }
const PenaltyInfo& penalty_info(int kind) { return penalties(op::Penalties{})[kind]; }

int find_rule(const char* name) {
  for (int k = 0; k < rule_count(); ++k) {
    if (std::strcmp(rule_info(k).name, name) == 0) return k;
  }
  return -1;
}
int find_penalty(const char* name) {
  for (int k = 0; k < penalty_count(); ++k) {
    if (std::strcmp(penalty_info(k).name, name) == 0) return k;
  }
  return -1;
}

}  // namespace proxstep::cpu
