// The CUDA step, emulated: called by test_emulation.py.
#include <vector>

#include "cuda_emulation.hpp"
// The kernels come after the emulation.
#include "../../csrc/cuda/step_table.hpp"

namespace proxstep::cuda {
namespace {

constexpr int kCapacity = 8;  // small, so that tests need several launches

struct AnyArray {
  void *x, *g, *m0, *m1;
  long long n;
  int group;
};

struct Group {
  int penalty;
  const double *rule_settings, *penalty_settings;
};

struct Call {
  int rule, count, group_count;
  const AnyArray* arrays;
  const Group* groups;
  double t, grad_scale;
};

template <class S, template <class> class Rule>
int run(const Call& call) {
  using C = op::compute_t<S>;
  std::vector<StepArray<S>> arrays;
  for (int k = 0; k < call.count; ++k) {
    const AnyArray& a = call.arrays[k];
    arrays.push_back({{static_cast<S*>(a.x),
                       static_cast<const S*>(a.g),
                       {static_cast<C*>(a.m0), static_cast<C*>(a.m1)}},
                      a.n,
                      a.group});
  }
  double constants[kMostGroups][op::kMaxConstants] = {};
  StepGroup groups[kMostGroups] = {};
  for (int k = 0; k < call.group_count; ++k) {
    Rule<C>::constants(call.groups[k].rule_settings, call.t, constants[k]);
    groups[k] = {call.groups[k].penalty, constants[k], call.groups[k].penalty_settings};
  }
  int launches = 0;
  launch_tables<S, Rule<C>, kCapacity>(arrays.data(), call.count, groups, call.group_count,
                                       call.grad_scale, [&](const auto& table, int blocks) {
                                         emulate(blocks, kThreads, [&] { step_kernel(table); });
                                         ++launches;
                                       });
  return launches;
}

template <class S, template <class> class... Rules>
int step(op::List<Rules...>, const Call& call) {
  int k = 0, launches = 0;
  ((k++ == call.rule ? void(launches = run<S, Rules>(call)) : void()), ...);
  return launches;
}

}  // namespace
}  // namespace proxstep::cuda

// Returns how many kernels were launched.
extern "C" int step(int dtype, const proxstep::cuda::Call* call) {
  using namespace proxstep;
  const op::Rules rules;
  if (dtype == 0) return cuda::step<double>(rules, *call);
  if (dtype == 1) return cuda::step<float>(rules, *call);
  if (dtype == 2) return cuda::step<op::bfloat16>(rules, *call);
  return cuda::step<op::float16>(rules, *call);
}
