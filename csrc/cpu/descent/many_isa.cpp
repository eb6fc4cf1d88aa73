// The loops of many small fits. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "many_descent.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {
namespace {

template <class P>
constexpr auto descend_where_convex() -> SmallReport (*)(const SmallFit&) {
  if constexpr (P::convex) {
    return descend_on<P>;
  } else {
    return nullptr;
  }
}

template <template <class> class... Ps>
constexpr ManyTable table(op::List<Ps...>) {
  return {{widen<double>, widen<float>},
          add_adjoint,
          small_gradient,
          add_gram,
          {descend_where_convex<Ps<double>>()...}};
}

}  // namespace

extern const ManyTable PROXSTEP_JOIN(table_many_, PROXSTEP_ISA);
constexpr ManyTable kTable = table(op::Penalties{});
const ManyTable PROXSTEP_JOIN(table_many_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
