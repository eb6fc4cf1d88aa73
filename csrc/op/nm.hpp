// N:M sparsity, the set of x with at most n nonzeros in every block of m consecutive elements. An
// element that stays is z_i itself and costs nothing, one that goes costs z_i^2 / (2 s_i), so
//   min sum (x_i - z_i)^2 / (2 s_i)  keeps, in every block, the n elements of largest z_i^2 / s_i.
// With one step for all these are the largest |z_i|, else they are found by |z_i| / sqrt(s_i),
// whose order is the same and which stays in range where the square would not. A score is an
// integer in that order. NaN has the largest; at a tie the earlier element stays.
#pragma once
#include "project.hpp"

namespace proxstep::op {

constexpr int kLongestNM = 32;  // elements of a block; m is a power of two

// Signed, as vectors compare.
template <class T>
struct ScoreOf;
template <>
struct ScoreOf<float> {
  using type = int;
};
template <>
struct ScoreOf<double> {
  using type = long long;
};
template <class T>
using Score = typename ScoreOf<T>::type;

template <class T>
PROXSTEP_FN Score<T> nm_score(T z) {
  return static_cast<Score<T>>(size_key(z));
}
// An element whose step is 0 cannot move: infinity, unless it is 0 already.
template <class T>
PROXSTEP_FN Score<T> nm_score(T z, T s) {
  const T size = magnitude(z) / square_root(s);
  return nm_score(z == T(0) ? T(0) : size);
}

// An element's rank is how many of its block rank ahead of it: it stays while that is below n.
template <class W>
PROXSTEP_FN bool nm_ahead(W other, W own, bool other_is_earlier) {
  return other + W(other_is_earlier) > own;
}

// The element's share of the indicator; rank: among the block's elements in any order that has
// zeros last.
template <class T>
PROXSTEP_FN T nm_value(T x, int rank, int n) {
  return (x == T(0) || rank < n ? T(0) : infinity<T>()) + zero_or_nan(x);
}

}  // namespace proxstep::op
