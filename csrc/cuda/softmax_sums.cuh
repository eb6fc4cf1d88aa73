// A row's maximum and sums in one pass, kept as those of the classes seen so far (Milakov and
// Gimelshein, Online normalizer calculation for softmax, 2018). Which thread adds what depends on
// the number of classes alone, never on where the memory lies.
#pragma once
#include "../op/loss.hpp"
#include "loss_tables.hpp"
#include "pack.cuh"

namespace proxstep::cuda {

// A row of weight 0, or beyond the last, has no classes to read.
template <class T>
struct SoftmaxRow {
  const T *x, *t;
  T* g;
  T weight;
  long long classes, label;
  bool aligned;

  __device__ SoftmaxRow(const SoftmaxCall<T>& call, long long row) {
    const bool exists = row < call.rows;
    const long long at = row * call.classes;
    weight = !exists ? T(0) : call.weights ? call.weights[row] : T(1);
    classes = weight == T(0) ? 0 : call.classes;
    x = call.logits + at;
    t = call.probabilities ? call.probabilities + at : nullptr;
    g = exists && call.grad ? call.grad + at : nullptr;
    label = exists && !t ? call.labels.at(row) : 0;
    aligned = is_aligned(x) && is_aligned(t) && is_aligned(g);
  }
};

// Of the classes seen so far, with the letters of op/loss.hpp: m, S, T and sum t (m - x).
template <class T>
struct RowSums {
  T most = op::Format<T>::lowest;  // finite even where every x is -infinity
  T exps = 0, targets = 0, gaps = 0;
};

template <bool soft, class T>
__device__ void raise_maximum(RowSums<T>& sums, T most) {
  sums.exps = sums.exps * op::exp_nonpositive(sums.most - most);
  if (soft) sums.gaps += op::cross_entropy_gap(sums.targets, sums.most, most);
  sums.most = most;
}

template <bool soft, class T, int n>
__device__ void add_pack(RowSums<T>& sums, const Pack<T, n>& x, const Pack<T, n>& t) {
  T most = sums.most, exps = 0;
#pragma unroll
  for (int j = 0; j < n; ++j) most = op::most(most, x.at[j]);
  raise_maximum<soft>(sums, most);
#pragma unroll
  for (int j = 0; j < n; ++j) {
    exps += op::exp_nonpositive(x.at[j] - most);
    if (soft) sums.targets += t.at[j];
    if (soft) sums.gaps += op::cross_entropy_gap(t.at[j], x.at[j], most);
  }
  sums.exps += exps;
}

// -infinity by its bits: as a quotient it would be divided anew in every turn of the loop.
template <class T>
__device__ T no_class() {
  return op::bit_cast<T>(~typename op::Format<T>::Word(0) << op::Format<T>::mantissa_bits);
}

// What one thread of the team sees.
template <bool soft, class T, class Team>
__device__ RowSums<T> sums_of_thread(const SoftmaxRow<T>& row, const Team& team) {
  constexpr int n = kPack<T>;
  RowSums<T> sums;
  for (long long i = team.rank * n; i < row.classes; i += team.size * n) {
    const int count = static_cast<int>(op::least<long long>(n, row.classes - i));
    const bool whole = row.aligned && count == n;
    Pack<T, n> x, t = {};
    load(x, row.x + i, count, whole);
    if (soft) load(t, row.t + i, count, whole);
#pragma unroll
    for (int j = 0; j < n; ++j) x.at[j] = j < count ? x.at[j] : no_class<T>();
    add_pack<soft>(sums, x, t);
  }
  return sums;
}

}  // namespace proxstep::cuda
