// Softmax cross-entropy of one row by a team of threads, which read it twice and write it once.
// What is done once a row for the loss is done in double.
#pragma once
#include "row_team.cuh"
#include "softmax_sums.cuh"

namespace proxstep::cuda {

// The gradient of class j: weight includes scale, keep = weight T / S.
template <bool soft, class T>
struct Slope {
  T most, keep, weight;
  long long label;
  __device__ T operator()(T x, T t, long long j) const {
    const T share = soft ? weight * t : j == label ? weight : T(0);
    return keep * op::exp_nonpositive(x - most) - share;
  }
};

// By 16 bytes where the row is aligned, else element by element with neighbours side by side.
template <bool soft, class T, class Team>
__device__ void store_gradient(const SoftmaxRow<T>& row, const Slope<soft, T>& slope,
                               const Team& team) {
  constexpr int n = kPack<T>;
  const long long packed = row.aligned ? row.classes / n * n : 0;
  for (long long i = team.rank * n; i < packed; i += team.size * n) {
    Pack<T, n> x, t = {};
    load(x, row.x + i, n, true);
    if (soft) load(t, row.t + i, n, true);
#pragma unroll
    for (int j = 0; j < n; ++j) x.at[j] = slope(x.at[j], t.at[j], i + j);
    store(x, row.g + i, n, true);
  }
  for (long long j = packed + team.rank; j < row.classes; j += team.size) {
    row.g[j] = slope(row.x[j], soft ? row.t[j] : T(0), j);
  }
}

// What a row's loss is made of. As it is made here it is nothing: so are rows of weight 0.
struct RowLoss {
  double weight = 0, exps = 1, targets = 1, gap = 0;
  __device__ double value() const { return weight * op::cross_entropy(targets, exps, gap); }
};

template <bool soft, class T, class Team>
__device__ RowLoss softmax_row(const SoftmaxCall<T>& call, long long k, const Team& team) {
  const SoftmaxRow<T> row(call, k);
  RowSums<T> own = sums_of_thread<soft>(row, team);
  const T most = team.most(own.most);
  raise_maximum<soft>(own, most);
  RowLoss loss{row.weight, team.sum(own.exps)};
  if (soft) loss.targets = team.sum(own.targets);
  if (soft) loss.gap = team.sum(own.gaps);
  if (!soft && call.losses && row.classes) {  // labels were checked
    loss.gap = static_cast<double>(most) - static_cast<double>(row.x[row.label]);
  }
  team.wait();  // the gradient may take the place of what others still read
  if (row.g) {
    const T weight = static_cast<T>(call.scale * loss.weight);
    const T keep = weight * (static_cast<T>(loss.targets) / static_cast<T>(loss.exps));
    store_gradient(row, Slope<soft, T>{most, keep, weight, row.label}, team);
    for (long long j = row.classes + team.rank; j < call.classes; j += team.size) row.g[j] = T(0);
  }
  return row.classes ? loss : RowLoss{};
}

}  // namespace proxstep::cuda
