// The loops of decoding. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "decode_kernels.hpp"
#include "decode_layers.hpp"
#include "decode_products.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {
namespace {

template <class T>
constexpr DecodeKernels<T> kernels() {
  return {dense_product<T>, sparse_product<T>, layer_norm<T>,
          attend<T>,        gelu_erf<T>,       normal_cdf<T>};
}

}  // namespace

extern const DecodeTable PROXSTEP_JOIN(table_decode_, PROXSTEP_ISA);
constexpr DecodeTable kTable = {kernels<float>(), kernels<double>()};
const DecodeTable PROXSTEP_JOIN(table_decode_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
