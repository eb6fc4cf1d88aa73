// Launches the step's kernels on the caller's stream.
#include <cuda_runtime.h>

#include "step_table.hpp"

namespace proxstep::cuda {
namespace {

// A table is copied with every launch, so few arrays get a small one.
constexpr int kFew = 4, kMany = 512;

template <class S>
struct StepLaunch {
  const StepArray<S>* arrays;
  int count;
  const StepGroup* groups;
  int group_count;
  double grad_scale;
  cudaStream_t stream;
};

template <class S, class Rule, int capacity>
void launch(const StepLaunch<S>& call) {
  launch_tables<S, Rule, capacity>(
      call.arrays, call.count, call.groups, call.group_count, call.grad_scale,
      [&](const StepTable<S, Rule, capacity>& table, int blocks) {
        step_kernel<<<static_cast<unsigned>(blocks), kThreads, 0, call.stream>>>(table);
      });
}

template <class S, template <class> class... Rules>
void launch(op::List<Rules...>, int rule, const StepLaunch<S>& call) {
  using C = op::compute_t<S>;
  const bool few = call.count <= kFew;
  int k = 0;
  ((k++ == rule ? (few ? launch<S, Rules<C>, kFew>(call) : launch<S, Rules<C>, kMany>(call))
                : void()),
   ...);
}

}  // namespace

// One step of all arrays, in one launch for up to kMany of them. rule: its place in the registry;
// at most kMostGroups groups. All numbers go by value: a captured graph would repeat this very
// step.
template <class S>
cudaError_t step(int rule, const StepArray<S>* arrays, int count, const StepGroup* groups,
                 int group_count, double grad_scale, cudaStream_t stream) {
  if (group_count > kMostGroups) return cudaErrorInvalidValue;
  launch<S>(op::Rules{}, rule, {arrays, count, groups, group_count, grad_scale, stream});
  return cudaGetLastError();
}

template cudaError_t step(int, const StepArray<float>*, int, const StepGroup*, int, double,
                          cudaStream_t);
template cudaError_t step(int, const StepArray<double>*, int, const StepGroup*, int, double,
                          cudaStream_t);
template cudaError_t step(int, const StepArray<op::bfloat16>*, int, const StepGroup*, int, double,
                          cudaStream_t);
template cudaError_t step(int, const StepArray<op::float16>*, int, const StepGroup*, int, double,
                          cudaStream_t);

}  // namespace proxstep::cuda
