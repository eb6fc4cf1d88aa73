// The step on a CUDA device: a kernel per rule and storage type, a uniform switch on the penalty.
// Rules and penalties are built on the host, so that a float kernel holds no double arithmetic.
#include <cuda_runtime.h>

#include "op/step.hpp"

namespace proxstep::cuda {

// rule and penalty are places in their registries; constants are those of Rule::constants.
template <class S>
struct StepLaunch {
  int rule, penalty;
  const double* constants;
  const double* settings;  // of the penalty
  op::StepArrays<S> arrays;
  long long n;
  double grad_scale;
  cudaStream_t stream;
};

namespace {

constexpr int kThreads = 256;
constexpr int kResident = 4;  // blocks that share a multiprocessor: up to 64 registers, no spill
constexpr long long kMostBlocks = 65535;

// One penalty of the registry, as bytes that a kernel takes by value.
template <class C>
struct AnyPenalty {
  int index;
  alignas(C) unsigned char bytes[op::kMaxSettings * sizeof(C)];
};

template <class C, template <class> class... Ps>
AnyPenalty<C> make_penalty(op::List<Ps...>, int index, const double* settings) {
  static_assert(((sizeof(Ps<C>) <= op::kMaxSettings * sizeof(C)) && ...), "bytes can hold each");
  AnyPenalty<C> any{index, {}};
  int k = 0;
  const auto copy = [&](auto penalty) { memcpy(any.bytes, &penalty, sizeof penalty); };
  ((k++ == index ? copy(Ps<C>(settings)) : void()), ...);
  return any;
}

// Calls run(penalty) with the penalty that was packed.
template <class C, class Run, template <class> class... Ps>
__device__ void with_penalty(op::List<Ps...>, const AnyPenalty<C>& any, const Run& run) {
  int k = 0;
  ((k++ == any.index ? run(*reinterpret_cast<const Ps<C>*>(any.bytes)) : void()), ...);
}

template <class S, class Rule>
__global__ void __launch_bounds__(kThreads, kResident)
    step_kernel(op::StepArrays<S> arrays, long long n, op::compute_t<S> grad_scale, Rule rule,
                AnyPenalty<op::compute_t<S>> any) {
  const long long first = static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x;
  const long long stride = static_cast<long long>(gridDim.x) * kThreads;
  with_penalty(op::Penalties{}, any, [&](const auto& penalty) {
    for (long long i = first; i < n; i += stride) {
      op::step_one(arrays, i, grad_scale, rule, penalty);
    }
  });
}

template <class S, template <class> class... Rules>
void launch(op::List<Rules...>, const StepLaunch<S>& call) {
  using C = op::compute_t<S>;
  const unsigned blocks = op::least((call.n + kThreads - 1) / kThreads, kMostBlocks);
  const AnyPenalty<C> any = make_penalty<C>(op::Penalties{}, call.penalty, call.settings);
  int k = 0;
  const auto run = [&](auto rule) {
    step_kernel<<<blocks, kThreads, 0, call.stream>>>(call.arrays, call.n, C(call.grad_scale), rule,
                                                      any);
  };
  ((k++ == call.rule ? run(Rules<C>(call.constants)) : void()), ...);
}

}  // namespace

template <class S>
cudaError_t step(const StepLaunch<S>& call) {
  if (call.n > 0) launch(op::Rules{}, call);
  return cudaGetLastError();
}

template cudaError_t step(const StepLaunch<float>&);
template cudaError_t step(const StepLaunch<double>&);
template cudaError_t step(const StepLaunch<op::bfloat16>&);
template cudaError_t step(const StepLaunch<op::float16>&);

}  // namespace proxstep::cuda
