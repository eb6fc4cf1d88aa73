// Names and settings of the rules, penalties and losses of one margin, read off the lists in op/.
#pragma once

namespace proxstep::cpu {

struct RuleInfo {
  const char* name;
  int settings;  // how many the user gives, the learning rate first
  int slots;     // arrays of moments
  int stored;    // how many of them, from the first, the point changes
  bool scalar_step;
  bool extrapolates;
  bool stays_zero;  // without a gradient, a zero x stays: no moment moves it
  void (*constants)(const double* settings, double t, double* constants);
};
struct PenaltyInfo {
  const char* name;
  int settings;
};

struct LossInfo {
  const char* name;
  int settings;
  double least_bend;
};

int rule_count();
int penalty_count();
int loss_count();
const RuleInfo& rule_info(int kind);
const PenaltyInfo& penalty_info(int kind);
const LossInfo& loss_info(int kind);
int find_rule(const char* name);     // -1: unknown
int find_penalty(const char* name);  // -1: unknown
int find_loss(const char* name);     // -1: unknown

}  // namespace proxstep::cpu
