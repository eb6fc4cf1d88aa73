// One row of an array, stepped where it lies.
#pragma once
#include <algorithm>
#include <cstring>

#include "registry.hpp"
#include "rows.hpp"
#include "step.hpp"

namespace proxstep::cpu {

inline char* offset(const void* base, std::int64_t elements, int size) {
  return base ? static_cast<char*>(const_cast<void*>(base)) + elements * size : nullptr;
}

// All bits but the signs of the numbers in eight bytes.
inline std::uint64_t magnitude_bits(DType dtype) {
  switch (itemsize(dtype)) {
    case 8:
      return 0x7fffffffffffffff;
    case 4:
      return 0x7fffffff7fffffff;
    default:
      return 0x7fff7fff7fff7fff;
  }
}

// Whether all n numbers are zero, looked at 64 bytes at a time.
inline bool all_zero(const void* array, std::int64_t n, DType dtype) {
  constexpr std::int64_t kWords = 8, kBytes = 8 * kWords;
  const std::uint64_t mask = magnitude_bits(dtype);
  const auto* at = static_cast<const char*>(array);
  std::int64_t bytes = n * itemsize(dtype);
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

class Row {
 public:
  Row(Rows& rows, std::int64_t index) : rows_(rows), taken_(rows.taken[index]), task_(rows.whole) {
    const std::int64_t at = index * rows.width;
    const int stored = itemsize(task_.dtype), wide = itemsize(compute_type(task_.dtype));
    task_.n = rows.width;
    task_.source = task_.x = offset(task_.x, at, stored);
    for (void*& m : task_.m) m = offset(m, at, wide);
    task_.element.weights = offset(task_.element.weights, at, wide);
    task_.groups.weights = offset(task_.groups.weights, index, wide);
    if (task_.groups.over != Over::nothing) task_.groups.count = 1;
  }

  void step(const void* g, double grad_scale) {
    static_cast<RuleStep&>(task_) = rows_.history[taken_ - rows_.start];
    task_.g = g;
    run(&task_, 1, grad_scale, nullptr);
    ++taken_;
  }

  // Until so many steps are taken, without a gradient. A row that stays zero by itself need not be
  // stepped.
  void catch_up(std::int64_t until, const void* zeros) {
    while (taken_ < until) {
      step(zeros, 1.0);
      if (rule_info(task_.rule).stays_zero && x_is_zero()) taken_ = until;
    }
  }

  bool is_zero(const void* array) const { return all_zero(array, task_.n, task_.dtype); }
  bool x_is_zero() const { return is_zero(task_.x); }

 private:
  Rows& rows_;
  std::int64_t& taken_;
  Task task_;
};

}  // namespace proxstep::cpu
