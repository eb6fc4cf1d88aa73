// The loops of products and of moments. Compiled once per instruction set with
// -DPROXSTEP_ISA=<name>. No library templates, and no external linkage but the table.
#include "deviations.hpp"
#include "line_blocks.hpp"
#include "lines.hpp"
#include "streams.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)

namespace proxstep::cpu {
namespace {

template <class Lines>
void dot(const LineJob& job, int64_t begin, int64_t end) {
  const Lines lines(job);
  for (int64_t k = begin; k < end; ++k) {
    const auto line = lines.line(job.lines ? job.lines[k] : k, 0, job.count);
    over_outputs(job.outputs, [&](auto width, int64_t c) {
      constexpr int W = decltype(width)::value;
      constexpr int U = kSums > W ? kSums / W : 1;
      dot_outputs<W, U>(line, job.from + c, job.outputs, job.to + k * job.outputs + c);
    });
  }
}

template <class Lines>
void add(const LineJob& job, int64_t begin, int64_t end, int64_t first, int64_t last) {
  const Lines lines(job);
  for (int64_t k = begin; k < end; ++k) {
    const auto line = lines.line(job.lines ? job.lines[k] : k, first, last);
    over_outputs(job.outputs, [&](auto width, int64_t c) {
      add_outputs<decltype(width)::value>(line, job.from + k * job.outputs + c, job.outputs,
                                          job.to + c);
    });
  }
}

// One output.
template <class T>
void dot_dense(const LineJob& job, int64_t begin, int64_t end) {
  over_streams(end - begin, [&](int64_t k, auto streams) {
    const T* line[decltype(streams)::count];
    find_lines(job, begin + k, 0, line);
    dot_streams<decltype(streams)::count>(line, job.count, job.from, job.to + begin + k);
  });
}
template <class T>
void add_dense(const LineJob& job, int64_t begin, int64_t end, int64_t first, int64_t last) {
  if (job.outputs != 1) return add_block<T>(job, begin, end, first, last);
  over_streams(end - begin, [&](int64_t k, auto streams) {
    const T* line[decltype(streams)::count];
    find_lines(job, begin + k, first, line);
    add_streams<decltype(streams)::count>(line, last - first, job.from + begin + k, job.to + first);
  });
}

}  // namespace

extern const LineTable PROXSTEP_JOIN(table_line_, PROXSTEP_ISA);
constexpr LineTable kTable = {
    {{dot_dense<double>, add_dense<double>}, {dot_dense<float>, add_dense<float>}},
    {{dot<ChosenLines<double>>, add<ChosenLines<double>>},
     {dot<ChosenLines<float>>, add<ChosenLines<float>>}},
    {{{dot<SparseLines<double, std::int32_t>>, add<SparseLines<double, std::int32_t>>},
      {dot<SparseLines<double, int64_t>>, add<SparseLines<double, int64_t>>}},
     {{dot<SparseLines<float, std::int32_t>>, add<SparseLines<float, std::int32_t>>},
      {dot<SparseLines<float, int64_t>>, add<SparseLines<float, int64_t>>}}},
    {dot_block<double>, dot_block<float>},
    {{columns_apart<double>, columns_together<double>},
     {columns_apart<float>, columns_together<float>}}};
const LineTable PROXSTEP_JOIN(table_line_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
