// Memory asked for before it is wanted.
#pragma once
#include <cstdint>

namespace proxstep::cpu {

template <std::int64_t n, class T>
inline __attribute__((always_inline)) void fetch(const T* first) {
  constexpr std::int64_t line = 64;
  const char* const at = reinterpret_cast<const char*>(first);
  for (std::int64_t k = 0; k < n * std::int64_t(sizeof(T)); k += line) __builtin_prefetch(at + k);
}

}  // namespace proxstep::cpu
