// The loops of products. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table.
#include "lines.hpp"

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
      constexpr int U = Lines::sums > W ? Lines::sums / W : 1;
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

// One output: four lines pass over to together, in the order in which they would one by one.
template <class T>
void add_dense(const LineJob& job, int64_t begin, int64_t end, int64_t first, int64_t last) {
  int64_t k = begin;
  for (; job.outputs == 1 && k + 4 <= end; k += 4) {
    const T* line[4];
    find_lines(job, k, line);
    add_four(line, job.from + k, first, last, job.to);
  }
  add<DenseLines<T>>(job, k, end, first, last);
}

}  // namespace

extern const LineTable PROXSTEP_JOIN(table_line_, PROXSTEP_ISA);
constexpr LineTable kTable = {
    {{dot<DenseLines<double>>, add_dense<double>}, {dot<DenseLines<float>>, add_dense<float>}},
    {{dot<ChosenLines<double>>, add<ChosenLines<double>>},
     {dot<ChosenLines<float>>, add<ChosenLines<float>>}},
    {{{dot<SparseLines<double, std::int32_t>>, add<SparseLines<double, std::int32_t>>},
      {dot<SparseLines<double, int64_t>>, add<SparseLines<double, int64_t>>}},
     {{dot<SparseLines<float, std::int32_t>>, add<SparseLines<float, std::int32_t>>},
      {dot<SparseLines<float, int64_t>>, add<SparseLines<float, int64_t>>}}}};
const LineTable PROXSTEP_JOIN(table_line_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
