// The loops of the layers. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "../../op/gelu.hpp"
#include "attention.hpp"
#include "norm.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {
namespace {

template <class T>
void gelu(int64_t n, const T* x, T* y) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = op::gelu(x[i]);
}
template <class T>
void gelu_gradient(int64_t n, const T* x, T* dy) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) dy[i] *= op::gelu_slope(x[i]);
}

template <class T>
constexpr LayerKernels<T> kernels() {
  return {norm<T>,      norm_gradient<T>,     gelu<T>, gelu_gradient<T>, attention_scratch,
          attention<T>, attention_gradient<T>};
}

}  // namespace

extern const LayerTable PROXSTEP_JOIN(table_layer_, PROXSTEP_ISA);
constexpr LayerTable kTable = {kernels<float>(), kernels<double>()};
const LayerTable PROXSTEP_JOIN(table_layer_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
