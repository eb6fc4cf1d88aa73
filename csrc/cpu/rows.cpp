#include "rows.hpp"

#include <algorithm>
#include <cstring>

#include "pool.hpp"
#include "registry.hpp"
#include "step.hpp"

namespace proxstep::cpu {
namespace {

constexpr std::int64_t kChunk = 1 << 15;  // elements of the rows that a thread takes at once
constexpr std::int64_t kSerialBelow = 2 * kChunk;

char* offset(const void* base, std::int64_t elements, int size) {
  return base ? static_cast<char*>(const_cast<void*>(base)) + elements * size : nullptr;
}

// All bits but the signs of the numbers in eight bytes.
std::uint64_t magnitude_bits(DType dtype) {
  switch (itemsize(dtype)) {
    case 8:
      return 0x7fffffffffffffff;
    case 4:
      return 0x7fffffff7fffffff;
    default:
      return 0x7fff7fff7fff7fff;
  }
}

// Whether no bit of the mask is set, looked at 64 bytes at a time.
bool all_zero(const void* array, std::int64_t bytes, std::uint64_t mask) {
  constexpr std::int64_t kWords = 8, kBytes = 8 * kWords;
  const auto* at = static_cast<const char*>(array);
  std::uint64_t words[kWords];
  for (; bytes >= kBytes; at += kBytes, bytes -= kBytes) {
    std::memcpy(words, at, kBytes);
    std::uint64_t any = 0;
    for (std::uint64_t word : words) any |= word;
    if (any & mask) return false;
  }
  std::fill_n(words, kWords, 0);
  std::memcpy(words, at, static_cast<std::size_t>(bytes));
  return std::all_of(words, words + kWords, [=](std::uint64_t word) { return !(word & mask); });
}

// What steps one row, with a gradient of zeros until another is given.
class Row {
 public:
  Row(Rows& rows, std::int64_t index, const void* zeros)
      : rows_(rows), taken_(rows.taken[index]), zeros_(zeros), task_(rows.whole) {
    const std::int64_t at = index * rows.width;
    const int stored = itemsize(task_.dtype), wide = itemsize(compute_type(task_.dtype));
    task_.n = rows.width;
    task_.source = task_.x = offset(task_.x, at, stored);
    for (void*& m : task_.m) m = offset(m, at, wide);
    task_.element.weights = offset(task_.element.weights, at, wide);
    task_.groups.weights = offset(task_.groups.weights, index, wide);
    if (task_.groups.over != Over::nothing) task_.groups.count = 1;
  }

  // Until so many steps are taken. A row that stays zero by itself need not be stepped.
  void catch_up(std::int64_t until) {
    while (taken_ < until) {
      step(zeros_, 1.0);
      if (rule_info(task_.rule).stays_zero && is_zero(task_.x)) taken_ = until;
    }
  }

  void step(const void* g, double grad_scale) {
    static_cast<RuleStep&>(task_) = rows_.history[taken_ - rows_.start];
    task_.g = g;
    run(&task_, 1, grad_scale, nullptr);
    ++taken_;
  }

  bool is_zero(const void* array) const {
    return all_zero(array, task_.n * itemsize(task_.dtype), magnitude_bits(task_.dtype));
  }
  bool x_is_zero() const { return is_zero(task_.x); }

 private:
  Rows& rows_;
  std::int64_t& taken_;
  const void* zeros_;
  Task task_;
};

std::vector<double> zero_gradient(const Rows& rows) {
  return std::vector<double>(static_cast<std::size_t>(rows.width), 0.0);
}

// body(row, k) for k = 0..count - 1; which: the rows, or null for all of them in their order.
template <class Body>
void each_row(Rows& rows, const std::int64_t* which, std::int64_t count, const Body& body) {
  const std::vector<double> zeros = zero_gradient(rows);
  const std::int64_t chunk =
      std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, rows.width));
  const auto some = [&](std::int64_t begin, std::int64_t end, std::int64_t) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t index = which ? which[k] : k;
      Row row(rows, index, zeros.data());
      body(row, k, index);
    }
  };
  if (count * rows.width < kSerialBelow) return some(0, count, 0);
  parallel_for(count, chunk, some);
}

}  // namespace

void catch_up(Rows& rows, const std::int64_t* which, std::int64_t count) {
  each_row(rows, which, count, [&](Row& row, std::int64_t, std::int64_t index) {
    row.catch_up(rows.now());
    rows.rests[index] = rows.rests[index] && row.x_is_zero();
  });
}

void step_rows(Rows& rows, const std::int64_t* which, std::int64_t count, const void* g,
               double grad_scale) {
  const int size = itemsize(rows.whole.dtype);
  each_row(rows, which, count, [&](Row& row, std::int64_t k, std::int64_t index) {
    row.catch_up(rows.now() - 1);
    row.step(offset(g, k * rows.width, size), grad_scale);
    rows.rests[index] = 0;
  });
}

void step_awake(Rows& rows, const void* g, double grad_scale) {
  const int size = itemsize(rows.whole.dtype);
  const auto count = static_cast<std::int64_t>(rows.taken.size());
  each_row(rows, nullptr, count, [&](Row& row, std::int64_t k, std::int64_t index) {
    const void* const own = offset(g, k * rows.width, size);
    const bool without_gradient = row.is_zero(own);
    if (rows.rests[index] && without_gradient) return;
    row.catch_up(rows.now() - 1);
    row.step(own, grad_scale);
    rows.rests[index] = without_gradient && row.x_is_zero();
  });
}

void forget(Rows& rows) {
  rows.start = rows.now();
  rows.history.clear();
}

}  // namespace proxstep::cpu
