// The loops of coordinate descent. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "gram_block.hpp"
#include "loops.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {
namespace {

template <class Loss, bool derivatives>
PROXSTEP_FN double sample(const LossPoints& p, const Loss& loss, int64_t i) {
  const double share = p.shares ? p.shares[i] : p.share;
  const op::LossPoint<double> at = loss.at(p.margins[i], p.targets[i]);
  const bool absent = share == 0.0;
  if (derivatives) {
    p.slope[i] = absent ? 0.0 : share * at.slope;
    p.bend[i] = absent ? 0.0 : share * op::most(at.bend, p.floor);
  }
  return absent ? 0.0 : share * at.value;
}

template <class Loss, bool derivatives>
double samples(const LossPoints& p, int64_t begin, int64_t end) {
  const Loss loss(p.settings);
  double sums[kLanes] = {};
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
#pragma GCC ivdep
    for (int k = 0; k < kLanes; ++k) sums[k] += sample<Loss, derivatives>(p, loss, i + k);
  }
  for (int k = 0; i < end; ++i, ++k) sums[k] += sample<Loss, derivatives>(p, loss, i);
  return fold_lanes(sums);
}

template <template <class> class Loss>
double loss_points(const LossPoints& p, int64_t begin, int64_t end) {
  return p.slope ? samples<Loss<double>, true>(p, begin, end)
                 : samples<Loss<double>, false>(p, begin, end);
}

template <template <class> class... Losses>
constexpr DescentTable table_of(op::List<Losses...>) {
  return {{DenseLoops<double>::loops(), DenseLoops<float>::loops()},
          {{SparseLoops<double, std::int32_t>::loops(), SparseLoops<double, int64_t>::loops()},
           {SparseLoops<float, std::int32_t>::loops(), SparseLoops<float, int64_t>::loops()}},
          {loss_points<Losses>...},
          gram_block};
}

}  // namespace

extern const DescentTable PROXSTEP_JOIN(table_descent_, PROXSTEP_ISA);
constexpr DescentTable kTable = table_of(op::Losses{});
const DescentTable PROXSTEP_JOIN(table_descent_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
