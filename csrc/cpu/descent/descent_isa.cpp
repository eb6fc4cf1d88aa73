// The loops of coordinate descent. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "gram_block.hpp"
#include "loops.hpp"
#include "shared_sums.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {

extern const DescentTable PROXSTEP_JOIN(table_descent_, PROXSTEP_ISA);
constexpr DescentTable kTable = {
    {DenseLoops<double>::loops(), DenseLoops<float>::loops()},
    {{SparseLoops<double, std::int32_t>::loops(), SparseLoops<double, int64_t>::loops()},
     {SparseLoops<float, std::int32_t>::loops(), SparseLoops<float, int64_t>::loops()}},
    gram_block,
    {shared_sums<std::int32_t>, shared_sums<int64_t>}};
const DescentTable PROXSTEP_JOIN(table_descent_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
