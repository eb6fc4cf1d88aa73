#include "anderson_weights.hpp"

#include <cmath>

namespace proxstep::cpu {
namespace {

constexpr int K = kAndersonDepth;

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

bool anderson_weights(double (&products)[K][K], double (&weights)[K]) {
  double trace = 0.0, sum = 0.0;
  for (int a = 0; a < K; ++a) trace += products[a][a];
  for (int a = 0; a < K; ++a) products[a][a] += 1e-14 * trace;
  if (!solve_for_ones(products, weights)) return false;
  for (const double weight : weights) sum += weight;
  if (!(std::abs(sum) > 0.0) || !std::isfinite(sum)) return false;
  for (double& weight : weights) weight /= sum;
  return true;
}

}  // namespace proxstep::cpu
