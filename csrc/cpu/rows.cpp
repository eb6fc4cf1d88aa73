#include "rows.hpp"

#include <algorithm>
#include <utility>

#include "pool.hpp"
#include "replay.hpp"
#include "row.hpp"

namespace proxstep::cpu {
namespace {

constexpr std::int64_t kChunk = 1 << 15;  // elements that a thread steps at once
constexpr std::int64_t kSerialBelow = 2 * kChunk;
constexpr std::int64_t kTogether = 1 << 11;  // elements of rows that make up for steps together
constexpr std::int64_t kSweep = 2048;        // steps in which each row is brought up once

// body(begin, end) over the chunks of n, in parallel where there is that much work.
template <class Body>
void over_chunks(std::int64_t n, std::int64_t chunk, std::int64_t work, const Body& body) {
  if (n == 0) return;
  const auto some = [&](std::int64_t begin, std::int64_t end, std::int64_t) { body(begin, end); };
  if (work >= kSerialBelow) return parallel_for(n, chunk, some);
  for (std::int64_t at = 0; at < n; at += chunk) body(at, std::min(n, at + chunk));
}

std::int64_t rows_in(std::int64_t elements, const Rows& rows) {
  return std::max<std::int64_t>(1, elements / std::max<std::int64_t>(1, rows.width));
}

// body(row, k, index) for k = 0..count - 1; which: the rows, or null for all of them in their
// order.
template <class Body>
void each_row(Rows& rows, const std::int64_t* which, std::int64_t count, const Body& body) {
  over_chunks(count, rows_in(kChunk, rows), count * rows.width,
              [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t k = begin; k < end; ++k) {
                  const std::int64_t index = which ? which[k] : k;
                  Row row(rows, index);
                  body(row, k, index);
                }
              });
}

// Those of `count` rows that have taken fewer steps, in the order of what they have taken. which:
// the rows, or null for those from `first` on.
std::vector<std::int64_t> waiting(const Rows& rows, const std::int64_t* which, std::int64_t first,
                                  std::int64_t count, std::int64_t until) {
  std::vector<std::int64_t> found;
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t index = which ? which[k] : first + k;
    if (rows.taken[index] < until) found.push_back(index);
  }
  std::sort(found.begin(), found.end(), [&](std::int64_t a, std::int64_t b) {
    return std::make_pair(rows.taken[a], a) < std::make_pair(rows.taken[b], b);
  });
  return found;
}

std::int64_t owed(const Rows& rows, const std::vector<std::int64_t>& which, std::int64_t until) {
  std::int64_t steps = 0;
  for (std::int64_t index : which) steps += until - rows.taken[index];
  return steps;
}

void catch_up(Rows& rows, const std::vector<std::int64_t>& which, std::int64_t until) {
  const std::int64_t room = rows_in(kTogether, rows);
  over_chunks(static_cast<std::int64_t>(which.size()), room, owed(rows, which, until) * rows.width,
              [&](std::int64_t begin, std::int64_t end) {
                Replay(rows, end - begin, until).catch_up(&which[begin], end - begin);
              });
  for (std::int64_t index : which) {
    rows.rests[index] = rows.rests[index] && Row(rows, index).x_is_zero();
  }
}

// Each step brings up a part of the rows, so that no step has to do so for all of them. At the end
// of the sweep all rows have taken the steps before it.
void sweep(Rows& rows) {
  const auto count = static_cast<std::int64_t>(rows.taken.size());
  const std::int64_t part = rows.now() - rows.sweep;
  const std::int64_t begin = count * (part - 1) / kSweep, end = count * part / kSweep;
  catch_up(rows, waiting(rows, nullptr, begin, end - begin, rows.now()), rows.now());
  if (part < kSweep) return;
  rows.history.erase(rows.history.begin(), rows.history.begin() + (rows.sweep - rows.start));
  rows.start = rows.sweep;
  rows.sweep = rows.now();
}

bool is_same(const RuleStep& a, const RuleStep& b) {
  return a.rule == b.rule && a.extrapolates == b.extrapolates && a.rule_steps == b.rule_steps &&
         a.euclidean == b.euclidean && a.directed == b.directed && a.step == b.step &&
         std::equal(std::begin(a.constants), std::end(a.constants), b.constants);
}

// Whether an element that is zero, as its moments are, stays so without a gradient and a penalty:
// not where the rule divides by zero.
bool keeps_zero(const RuleStep& step, DType dtype) {
  double x = 0.0, g = 0.0, m[op::kMaxSlots] = {};  // zeros of every type
  Task task;
  static_cast<RuleStep&>(task) = step;
  task.dtype = task.g_dtype = dtype;
  task.n = 1;
  task.source = task.x = &x;
  task.g = &g;
  for (int k = 0; k < op::kMaxSlots; ++k) task.m[k] = &m[k];
  run(&task, 1, 1.0, nullptr);
  return all_zero(&x, 1, DType::float64) && all_zero(m, op::kMaxSlots, DType::float64);
}

}  // namespace

void add_step(Rows& rows, const RuleStep& step) {
  if (!keeps_zero(step, rows.whole.dtype)) rows.stirred = rows.now() + 1;
  if (rows.history.empty() || !is_same(rows.history.back(), step)) rows.steady = rows.now();
  rows.history.push_back(step);
}

bool catch_up(Rows& rows, const std::int64_t* which, std::int64_t count) {
  const std::vector<std::int64_t> found = waiting(rows, which, 0, count, rows.now());
  catch_up(rows, found, rows.now());
  return !found.empty();
}

void step_rows(Rows& rows, const std::int64_t* which, std::int64_t count, const void* g,
               double grad_scale) {
  const std::int64_t before = rows.now() - 1;
  const int size = itemsize(rows.whole.dtype);
  catch_up(rows, waiting(rows, which, 0, count, before), before);
  each_row(rows, which, count, [&](Row& row, std::int64_t k, std::int64_t index) {
    row.step(offset(g, k * rows.width, size), grad_scale);
    rows.rests[index] = 0;
  });
  sweep(rows);
}

void step_awake(Rows& rows, const void* g, double grad_scale) {
  const int size = itemsize(rows.whole.dtype);
  const auto count = static_cast<std::int64_t>(rows.taken.size());
  const std::vector<double> zeros(static_cast<std::size_t>(rows.width), 0.0);
  each_row(rows, nullptr, count, [&](Row& row, std::int64_t k, std::int64_t index) {
    const void* const own = offset(g, k * rows.width, size);
    const bool without_gradient = row.is_zero(own);
    if (rows.rests[index] && without_gradient) return;
    row.catch_up(rows.now() - 1, zeros.data());
    row.step(own, grad_scale);
    rows.rests[index] = without_gradient && row.x_is_zero();
  });
  sweep(rows);
}

void forget(Rows& rows) {
  rows.start = rows.sweep = rows.steady = rows.now();
  rows.history.clear();
}

}  // namespace proxstep::cpu
