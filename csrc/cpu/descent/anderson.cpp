#include "anderson.hpp"

#include <cmath>

namespace proxstep::cpu {
namespace {

constexpr int K = kAndersonDepth;

constexpr double kMostWeights = 1e2;  // by which the rounding of what is affine may grow

double step_product(const std::vector<std::vector<double>>& x, int a, int b) {
  double sum = 0.0;
  for (std::size_t j = 0; j < x[0].size(); ++j) {
    sum += (x[a + 1][j] - x[a][j]) * (x[b + 1][j] - x[b][j]);
  }
  return sum;
}

// From the last one on, by distances: large weights, whose sum is 1, would cost digits of x itself.
std::vector<double> combination(const std::vector<std::vector<double>>& x, const double* weights) {
  const std::vector<double>& last = x[K];
  std::vector<double> sum = last;
  for (int a = 0; a + 1 < K; ++a) {
    for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += weights[a] * (x[a + 1][j] - last[j]);
  }
  return sum;
}

}  // namespace

bool Anderson::push(const std::vector<double>& x, const std::vector<double>* affine) {
  iterates_.push_back(x);
  if (affine) affines_.push_back(*affine);
  if (iterates_.size() <= K) return false;
  const bool found = combine();
  restart();
  return found;
}

bool Anderson::combine() {
  double products[K][K], weights[K];
  for (int a = 0; a < K; ++a) {
    for (int b = 0; b <= a; ++b) products[a][b] = products[b][a] = step_product(iterates_, a, b);
  }
  if (!anderson_weights(products, weights)) return false;
  candidate_ = combination(iterates_, weights);
  double size = 0.0;
  for (const double weight : weights) size += std::abs(weight);
  candidate_affine_.clear();
  if (!affines_.empty() && size <= kMostWeights) candidate_affine_ = combination(affines_, weights);
  return true;
}

}  // namespace proxstep::cpu
