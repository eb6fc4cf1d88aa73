// Small symmetric systems: A = L L' in place, of which the lower triangle is read.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace proxstep::cpu {

struct PlainDot {
  double operator()(const double* a, const double* b, std::int64_t n) const {
    double sum = 0.0;
    for (std::int64_t l = 0; l < n; ++l) sum += a[l] * b[l];
    return sum;
  }
};

// A pivot that rounding made 0 or less becomes a small one: that direction hardly moves.
// Where n is large, products of rows by the core's lanes take less time.
template <class Dot = PlainDot>
void factorise(std::vector<double>& A, std::int64_t n, const Dot& dot = {}) {
  for (std::int64_t j = 0; j < n; ++j) {
    const double* row = A.data() + j * n;
    const double least = 1e-14 * std::abs(A[j * n + j]) + 1e-300;
    const double pivot = std::sqrt(std::max(A[j * n + j] - dot(row, row, j), least));
    A[j * n + j] = pivot;
    for (std::int64_t i = j + 1; i < n; ++i) {
      A[i * n + j] = (A[i * n + j] - dot(A.data() + i * n, row, j)) / pivot;
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
