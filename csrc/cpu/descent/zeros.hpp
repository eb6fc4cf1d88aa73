// Memory that begins with a line of the cache, so that vectors of a whole line lie in one.
#pragma once
#include <cstdint>
#include <vector>

#include "many_kernels.hpp"

namespace proxstep::cpu {

inline std::int64_t whole_lines(std::int64_t count) { return (count + kLine - 1) / kLine * kLine; }

// Zeros from the start of a cache line on.
class Zeros {
 public:
  explicit Zeros(std::int64_t count) : held_(count + kLine) {}
  Zeros(Zeros&&) = default;
  double* data() { return held_.data() + behind(); }
  const double* data() const { return held_.data() + behind(); }

 private:
  std::size_t behind() const {
    const auto at = reinterpret_cast<std::uintptr_t>(held_.data()) / sizeof(double);
    return (kLine - at % kLine) % kLine;
  }
  std::vector<double> held_;
};

}  // namespace proxstep::cpu
