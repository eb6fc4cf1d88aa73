// The loops of the losses. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "margin_rows.hpp"
#include "softmax_narrow.hpp"
#include "softmax_wide.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {
namespace {

template <bool soft, class T>
double softmax_blocks(const SoftmaxRows<T>& job, int64_t begin, int64_t end) {
  double losses[kLanes] = {};
  for (int64_t row = begin; row < end; row += kLanes) {
    const int rows = int(op::least<int64_t>(kLanes, end - row));
    BlockSums<T> sums(job, row, rows);
    job.classes <= kNarrow ? narrow_block<soft>(job, row, rows, sums)
                           : wide_block<soft>(job, row, rows, sums);
    sums.add_losses(losses);
  }
  return fold_lanes(losses);
}

template <class T>
double softmax(const SoftmaxRows<T>& job, int64_t begin, int64_t end) {
  return job.probabilities ? softmax_blocks<true>(job, begin, end)
                           : softmax_blocks<false>(job, begin, end);
}

template <class T, template <class> class... Losses>
constexpr LossKernels<T> kernels(op::List<Losses...>) {
  return {softmax<T>, {margin_loss<Losses<T>, T>...}};
}

}  // namespace

extern const LossTable PROXSTEP_JOIN(table_loss_, PROXSTEP_ISA);
constexpr LossTable kTable = {kernels<float>(op::Losses{}), kernels<double>(op::Losses{})};
const LossTable PROXSTEP_JOIN(table_loss_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
