// The loops of descent on rows. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "row_loops.hpp"
#include "row_tiles.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {

extern const RowTable PROXSTEP_JOIN(table_row_, PROXSTEP_ISA);
constexpr RowTable kTable = {
    row_loops<DenseSamples>(),
    {{row_loops<SparseSamples<double, std::int32_t>>(),
      row_loops<SparseSamples<double, int64_t>>()},
     {row_loops<SparseSamples<float, std::int32_t>>(), row_loops<SparseSamples<float, int64_t>>()}},
    {tile_loops<double>(), tile_loops<float>()},
    bend_of_margins,
    follow_margins};
const RowTable PROXSTEP_JOIN(table_row_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
