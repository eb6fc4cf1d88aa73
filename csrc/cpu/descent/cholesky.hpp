// Small symmetric systems: A = L L' in place, of which the lower triangle is read.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace proxstep::cpu {

// A pivot that rounding made 0 or less becomes a small one: that direction hardly moves.
inline void factorise(std::vector<double>& A, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) {
    double pivot = A[j * n + j];
    const double least = 1e-14 * std::abs(pivot) + 1e-300;
    for (std::int64_t l = 0; l < j; ++l) pivot -= A[j * n + l] * A[j * n + l];
    A[j * n + j] = std::sqrt(std::max(pivot, least));
    for (std::int64_t i = j + 1; i < n; ++i) {
      for (std::int64_t l = 0; l < j; ++l) A[i * n + j] -= A[i * n + l] * A[j * n + l];
      A[i * n + j] /= A[j * n + j];
    }
  }
}

inline void solve_factorised(const std::vector<double>& L, std::int64_t n, double* b) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t l = 0; l < i; ++l) b[i] -= L[i * n + l] * b[l];
    b[i] /= L[i * n + i];
  }
  for (std::int64_t i = n - 1; i >= 0; --i) {
    for (std::int64_t l = i + 1; l < n; ++l) b[i] -= L[l * n + i] * b[l];
    b[i] /= L[i * n + i];
  }
}

}  // namespace proxstep::cpu
