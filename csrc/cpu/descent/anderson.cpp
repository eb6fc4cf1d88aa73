#include "anderson.hpp"

namespace proxstep::cpu {
namespace {

constexpr int K = kAndersonDepth;

double step_product(const std::vector<std::vector<double>>& x, int a, int b) {
  double sum = 0.0;
  for (std::size_t j = 0; j < x[0].size(); ++j) {
    sum += (x[a + 1][j] - x[a][j]) * (x[b + 1][j] - x[b][j]);
  }
  return sum;
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
  double products[K][K], weights[K];
  for (int a = 0; a < K; ++a) {
    for (int b = 0; b <= a; ++b) products[a][b] = products[b][a] = step_product(iterates_, a, b);
  }
  if (!anderson_weights(products, weights)) return false;
  candidate_.assign(iterates_[0].size(), 0.0);
  for (int a = 0; a < K; ++a) {
    for (std::size_t j = 0; j < candidate_.size(); ++j) {
      candidate_[j] += weights[a] * iterates_[a + 1][j];
    }
  }
  return true;
}

}  // namespace proxstep::cpu
