// The loops of the losses. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
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

// One row's loss; its gradient is stored, and may take the margin's place.
template <bool weighted, bool store, class T>
PROXSTEP_FN double logistic_row(const LogisticRows<T>& job, T scale, int64_t i) {
  const op::LossPoint<T> at = op::logistic(job.margin[i], job.targets[i]);
  const T weight = weighted ? job.weights[i] : T(1);
  const bool absent = weighted && weight == T(0);
  if (store) job.grad[i] = absent ? T(0) : scale * weight * at.slope;
  return absent ? 0.0 : double(weight) * double(at.value);
}

template <bool weighted, bool store, class T>
double logistic_rows(const LogisticRows<T>& job, int64_t begin, int64_t end) {
  const T scale = T(job.scale);
  double losses[kLanes] = {};
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
#pragma GCC ivdep
    for (int k = 0; k < kLanes; ++k) losses[k] += logistic_row<weighted, store>(job, scale, i + k);
  }
  for (int k = 0; i < end; ++i, ++k) losses[k] += logistic_row<weighted, store>(job, scale, i);
  return fold_lanes(losses);
}

template <class T>
double logistic(const LogisticRows<T>& job, int64_t begin, int64_t end) {
  if (job.weights) {
    return job.grad ? logistic_rows<true, true>(job, begin, end)
                    : logistic_rows<true, false>(job, begin, end);
  }
  return job.grad ? logistic_rows<false, true>(job, begin, end)
                  : logistic_rows<false, false>(job, begin, end);
}

}  // namespace

extern const LossTable PROXSTEP_JOIN(table_loss_, PROXSTEP_ISA);
constexpr LossTable kTable = {{softmax<float>, logistic<float>},
                              {softmax<double>, logistic<double>}};
const LossTable PROXSTEP_JOIN(table_loss_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
