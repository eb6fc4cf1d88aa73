// Every chunk of every array as one job.
#include "step.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "../storage.hpp"
#include "chunks.hpp"
#include "runner.hpp"

namespace proxstep::cpu {
namespace {

void run_chunk(const Task& t, Pass pass, std::int64_t chunk, Statistics* statistics) {
  const Cut c = cut(t);
  const std::int64_t begin = chunk * c.per_chunk, end = std::min(c.units, begin + c.per_chunk);
  with_storage(t.dtype, [&](auto storage) {
    Runner<decltype(storage)> runner(t, pass, statistics);
    if (t.groups.over == Over::nothing) return runner.elements(begin, end);
    if (t.groups.over == Over::segments) return runner.segments(begin, end);
    runner.columns(begin, end);
  });
}

void add(const Statistics& from, Statistics* to) {
  to->penalty += from.penalty;
  to->squared_change += from.squared_change;
  to->nonzeros += from.nonzeros;
  to->not_finite += from.not_finite;
}

}  // namespace

Pass pass_over(const Task* tasks, std::int64_t count, double grad_scale) {
  constexpr std::int64_t cached = std::int64_t(24) << 20;  // bytes
  std::int64_t bytes = 0;
  for (const Task* t = tasks; t < tasks + count; ++t) {
    const auto moments = std::count_if(std::begin(t->m), std::end(t->m), [](void* m) { return m; });
    bytes += t->n * (2 + moments) * itemsize(t->dtype);
  }
  return {grad_scale, bytes > cached};
}

void run(const Task* tasks, std::int64_t count, double grad_scale, Statistics* statistics) {
  if (count == 1 && tasks[0].n < kSerialBelow && !statistics) {  // no allocation on the short path
    for (std::int64_t k = 0; tasks[0].n && k < cut(tasks[0]).chunks(); ++k) {
      run_chunk(tasks[0], {grad_scale}, k, nullptr);
    }
    return;
  }
  const Pass pass = pass_over(tasks, count, grad_scale);
  std::vector<Statistics> parts(statistics ? total_chunks(tasks, count) : 0);
  over_chunks(tasks, count, [&](const Task& t, std::int64_t chunk, std::int64_t i) {
    run_chunk(t, pass, chunk, statistics ? &parts[i] : nullptr);
  });
  for (const Statistics& part : parts) add(part, statistics);
}

double penalty_value(const Task& task) {
  std::vector<Statistics> parts(total_chunks(&task, 1));
  over_chunks(&task, 1, [&](const Task& t, std::int64_t chunk, std::int64_t i) {
    const Cut c = cut(t);
    const std::int64_t begin = chunk * c.per_chunk, end = std::min(c.units, begin + c.per_chunk);
    with_storage(t.dtype, [&](auto storage) {
      Runner<decltype(storage)>(t, {}, &parts[i]).value(begin, end);
    });
  });
  Statistics sum;
  for (const Statistics& part : parts) add(part, &sum);
  return sum.penalty;
}

double global_norm(const std::vector<Array>& arrays) {
  std::vector<Task> tasks(arrays.size());
  for (std::size_t k = 0; k < arrays.size(); ++k) {
    tasks[k].dtype = arrays[k].dtype;
    tasks[k].n = arrays[k].size();
    tasks[k].source = tasks[k].x = arrays[k].data;
  }
  const auto count = static_cast<std::int64_t>(tasks.size());
  std::vector<double> parts(total_chunks(tasks.data(), count));
  over_chunks(tasks.data(), count, [&](const Task& t, std::int64_t chunk, std::int64_t i) {
    const std::int64_t begin = chunk * kChunk, end = std::min(t.n, begin + kChunk);
    with_storage(t.dtype, [&](auto storage) {
      parts[i] = Runner<decltype(storage)>(t, {}, nullptr).sum_of_squares(begin, end);
    });
  });
  double sum = 0.0;
  for (double part : parts) sum += part;
  return std::sqrt(sum);
}

}  // namespace proxstep::cpu
