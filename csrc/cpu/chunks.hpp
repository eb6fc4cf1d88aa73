// How arrays are cut for the pool: chunks have fixed sizes, so what is computed does not depend on
// the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "../task.hpp"
#include "kernels.hpp"
#include "pool.hpp"

namespace proxstep::cpu {

constexpr std::int64_t kChunk = 64 * kTile;
constexpr std::int64_t kSerialBelow = 2 * kChunk;  // waking a thread costs more than it saves

constexpr std::int64_t kColumns = 1024;  // of float32, a page of memory

// How an array is cut: units are elements, groups or columns.
struct Cut {
  std::int64_t units, per_chunk;
  std::int64_t chunks() const { return (units + per_chunk - 1) / per_chunk; }
};

// Wide stripes keep whole pieces of rows together; a few of them keep the threads busy.
inline std::int64_t columns_at_once(std::int64_t columns) {
  const std::int64_t quarter = (columns + 3) / 4;
  return std::clamp<std::int64_t>((quarter + 63) / 64 * 64, 64, kColumns);
}

inline Cut cut(const Task& t) {
  if (t.groups.over == Over::nothing) return {t.n, kChunk};
  const std::int64_t length =
      std::max<std::int64_t>(1, t.n / std::max<std::int64_t>(1, t.groups.count));
  if (t.groups.over == Over::columns) return {t.groups.count, columns_at_once(t.groups.count)};
  return {t.groups.count, std::max<std::int64_t>(1, kChunk / length)};
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

inline std::int64_t total_chunks(const Task* tasks, std::int64_t count) {
  std::int64_t chunks = 0;
  for (std::int64_t k = 0; k < count; ++k) chunks += tasks[k].n ? cut(tasks[k]).chunks() : 0;
  return chunks;
}

}  // namespace proxstep::cpu
