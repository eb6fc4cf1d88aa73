// Chunks have fixed sizes, so what is computed does not depend on the number of threads.
#include "step.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "../storage.hpp"
#include "pool.hpp"
#include "runner.hpp"

namespace proxstep::cpu {
namespace {

constexpr std::int64_t kChunk = 64 * kTile;
constexpr std::int64_t kSerialBelow = 2 * kChunk;  // waking a thread costs more than it saves

constexpr std::int64_t kColumns = 1024;  // of float32, a page of memory

// How an array is cut: units are elements, groups or columns.
struct Cut {
  std::int64_t units, per_chunk;
  std::int64_t chunks() const { return (units + per_chunk - 1) / per_chunk; }
};

// Wide stripes keep whole pieces of rows together; a few of them keep the threads busy.
std::int64_t columns_at_once(std::int64_t columns) {
  const std::int64_t quarter = (columns + 3) / 4;
  return std::clamp<std::int64_t>((quarter + 63) / 64 * 64, 64, kColumns);
}

Cut cut(const Task& t) {
  if (t.groups.over == Over::nothing) return {t.n, kChunk};
  const std::int64_t length =
      std::max<std::int64_t>(1, t.n / std::max<std::int64_t>(1, t.groups.count));
  if (t.groups.over == Over::columns) return {t.groups.count, columns_at_once(t.groups.count)};
  return {t.groups.count, std::max<std::int64_t>(1, kChunk / length)};
}

void run_chunk(const Task& t, double grad_scale, std::int64_t chunk, Statistics* statistics) {
  const Cut c = cut(t);
  const std::int64_t begin = chunk * c.per_chunk, end = std::min(c.units, begin + c.per_chunk);
  with_storage(t.dtype, [&](auto storage) {
    Runner<decltype(storage)> runner(t, grad_scale, statistics);
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

// Runs body(task, chunk, global index) over the chunks of all tasks as one job.
template <class Body>
void over_chunks(const Task* tasks, std::int64_t count, const Body& body) {
  std::vector<std::int64_t> first(static_cast<std::size_t>(count) + 1, 0);
  std::int64_t elements = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    first[k + 1] = first[k] + (tasks[k].n ? cut(tasks[k]).chunks() : 0);
    elements += tasks[k].n;
  }
  const auto one = [&](std::int64_t i, std::int64_t, std::int64_t) {
    const auto k = std::upper_bound(first.begin(), first.end(), i) - first.begin() - 1;
    body(tasks[k], i - first[k], i);
  };
  if (elements >= kSerialBelow) return parallel_for(first.back(), 1, one);
  for (std::int64_t i = 0; i < first.back(); ++i) one(i, i + 1, i);
}

std::int64_t total_chunks(const Task* tasks, std::int64_t count) {
  std::int64_t chunks = 0;
  for (std::int64_t k = 0; k < count; ++k) chunks += tasks[k].n ? cut(tasks[k]).chunks() : 0;
  return chunks;
}

}  // namespace

void run(const Task* tasks, std::int64_t count, double grad_scale, Statistics* statistics) {
  if (count == 1 && tasks[0].n < kSerialBelow && !statistics) {  // no allocation on the short path
    for (std::int64_t k = 0; tasks[0].n && k < cut(tasks[0]).chunks(); ++k) {
      run_chunk(tasks[0], grad_scale, k, nullptr);
    }
    return;
  }
  std::vector<Statistics> parts(statistics ? total_chunks(tasks, count) : 0);
  over_chunks(tasks, count, [&](const Task& t, std::int64_t chunk, std::int64_t i) {
    run_chunk(t, grad_scale, chunk, statistics ? &parts[i] : nullptr);
  });
  for (const Statistics& part : parts) add(part, statistics);
}

double penalty_value(const Task& task) {
  std::vector<Statistics> parts(total_chunks(&task, 1));
  over_chunks(&task, 1, [&](const Task& t, std::int64_t chunk, std::int64_t i) {
    const Cut c = cut(t);
    const std::int64_t begin = chunk * c.per_chunk, end = std::min(c.units, begin + c.per_chunk);
    with_storage(t.dtype, [&](auto storage) {
      Runner<decltype(storage)>(t, 1.0, &parts[i]).value(begin, end);
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
      parts[i] = Runner<decltype(storage)>(t, 1.0, nullptr).sum_of_squares(begin, end);
    });
  });
  double sum = 0.0;
  for (double part : parts) sum += part;
  return std::sqrt(sum);
}

}  // namespace proxstep::cpu
