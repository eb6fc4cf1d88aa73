#include "anderson.hpp"

#include <cmath>

namespace proxstep::cpu {
namespace {

constexpr int K = Anderson::kDepth;

double step_product(const std::vector<std::vector<double>>& x, int a, int b) {
  double sum = 0.0;
  for (std::size_t j = 0; j < x[0].size(); ++j) {
    sum += (x[a + 1][j] - x[a][j]) * (x[b + 1][j] - x[b][j]);
  }
  return sum;
}

// Solves A c = 1 by Gauss elimination of a positive definite A; false where it is singular.
bool solve_for_ones(double (&A)[K][K], double (&c)[K]) {
  for (int r = 0; r < K; ++r) c[r] = 1.0;
  for (int pivot = 0; pivot < K; ++pivot) {
    if (!(A[pivot][pivot] > 0.0)) return false;
    for (int r = pivot + 1; r < K; ++r) {
      const double factor = A[r][pivot] / A[pivot][pivot];
      for (int j = pivot; j < K; ++j) A[r][j] -= factor * A[pivot][j];
      c[r] -= factor * c[pivot];
    }
  }
  for (int r = K - 1; r >= 0; --r) {
    for (int j = r + 1; j < K; ++j) c[r] -= A[r][j] * c[j];
    c[r] /= A[r][r];
  }
  return true;
}

}  // namespace

bool Anderson::push(const std::vector<double>& x) {
  iterates_.push_back(x);
  if (iterates_.size() <= K) return false;
  const bool found = combine();
  iterates_.clear();
  return found;
}

bool Anderson::combine() {
  double products[K][K], c[K], trace = 0.0, sum = 0.0;
  for (int a = 0; a < K; ++a) {
    for (int b = 0; b <= a; ++b) products[a][b] = products[b][a] = step_product(iterates_, a, b);
    trace += products[a][a];
  }
  for (int a = 0; a < K; ++a) products[a][a] += 1e-14 * trace;
  if (!solve_for_ones(products, c)) return false;
  for (const double weight : c) sum += weight;
  if (!(std::abs(sum) > 0.0) || !std::isfinite(sum)) return false;
  candidate_.assign(iterates_[0].size(), 0.0);
  for (int a = 0; a < K; ++a) {
    const double weight = c[a] / sum;
    for (std::size_t j = 0; j < candidate_.size(); ++j) {
      candidate_[j] += weight * iterates_[a + 1][j];
    }
  }
  return true;
}

}  // namespace proxstep::cpu
