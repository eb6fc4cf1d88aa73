// Rows of many classes, each spread over 16 lanes. Three passes over a row in cache (maximum;
// exponentials and sums; gradient): one online pass would pay more for rescaling than it saves.
#pragma once
#include "softmax_block.hpp"

namespace proxstep::cpu {
namespace {

constexpr int64_t kRun = 1024;    // elements summed in T before the sum moves on to double
constexpr int64_t kShared = 512;  // classes up to which 16 rows share the cache, pass by pass

template <class T>
PROXSTEP_FN T most_of_lanes(const T (&a)[kLanes]) {
  T b[8], c[4];
  for (int k = 0; k < 8; ++k) b[k] = op::most(a[k], a[k + 8]);
  for (int k = 0; k < 4; ++k) c[k] = op::most(b[k], b[k + 4]);
  return op::most(op::most(c[0], c[2]), op::most(c[1], c[3]));
}

// Finite even where every x is -infinity. The last lanes may be looked at twice.
template <class T>
PROXSTEP_FN T maximum(const T* x, int64_t n) {
  T most[kLanes];
  for (int k = 0; k < kLanes; ++k) most[k] = op::most(op::Format<T>::lowest, x[n - kLanes + k]);
  for (int64_t i = 0; i + kLanes <= n; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) most[k] = op::most(most[k], x[i + k]);
  }
  return most_of_lanes(most);
}

template <class T>
struct LaneSums {
  T exps[kLanes] = {}, targets[kLanes] = {}, gaps[kLanes] = {};
};

// Lanes before first were counted already.
template <bool soft, bool store, class T>
PROXSTEP_FN void add_lanes(const T* x, const T* t, T* e, T m, int first, LaneSums<T>& sums) {
#pragma GCC ivdep
  for (int k = 0; k < kLanes; ++k) {
    const T v = op::exp_nonpositive(x[k] - m);
    sums.exps[k] += k < first ? T(0) : v;
    if (soft) sums.targets[k] += k < first ? T(0) : t[k];
    if (soft) sums.gaps[k] += k < first ? T(0) : op::cross_entropy_gap(t[k], x[k], m);
    if (store) e[k] = v;  // last: e may be x
  }
}

struct RowSums {
  double exps = 0.0, targets = 0.0, gaps = 0.0;
};

// e may be x, whose last lanes are therefore set aside before the first of them changes.
template <bool soft, bool store, class T>
RowSums sum_row(const T* x, const T* t, T* e, int64_t n, T m) {
  T last[kLanes];
  for (int k = 0; k < kLanes; ++k) last[k] = x[n - kLanes + k];
  RowSums row;
  for (int64_t begin = 0; begin < n; begin += kRun) {
    const int64_t end = op::least(begin + kRun, n);
    LaneSums<T> sums;
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      add_lanes<soft, store>(x + i, t + i, store ? e + i : e, m, 0, sums);
    }
    if (i < end) {
      const int64_t back = n - kLanes;
      add_lanes<soft, store>(last, t + back, store ? e + back : e, m, int(i - back), sums);
    }
    row.exps += double(fold_lanes(sums.exps));
    if (soft) row.targets += double(fold_lanes(sums.targets));
    if (soft) row.gaps += double(fold_lanes(sums.gaps));
  }
  return row;
}

// g holds exponentials and becomes keep g - factor t, or keep g for a label's row.
template <bool soft, class T>
PROXSTEP_FN void finish_lanes(const T* e, const T* t, T* g, T keep, T factor) {
#pragma GCC ivdep
  for (int k = 0; k < kLanes; ++k) g[k] = soft ? keep * e[k] - factor * t[k] : keep * e[k];
}
template <bool soft, class T>
PROXSTEP_FN void finish_row(const T* t, T* g, int64_t n, T keep, T factor) {
  T last[kLanes];
  for (int k = 0; k < kLanes; ++k) last[k] = g[n - kLanes + k];
  for (int64_t i = 0; i + kLanes <= n; i += kLanes) {
    finish_lanes<soft>(g + i, t + i, g + i, keep, factor);
  }
  finish_lanes<soft>(last, t + n - kLanes, g + n - kLanes, keep, factor);
}

// The three passes, for rows r..end of a block that starts at row first of the job.
template <bool soft, class T>
struct WidePasses {
  const SoftmaxRows<T>& job;
  int64_t first;
  BlockSums<T>& sums;

  const T* logits(int r) const { return job.logits + (first + r) * job.classes; }
  const T* targets(int r) const {  // a label's row has none; its logits stand in, unread
    return soft ? job.probabilities + (first + r) * job.classes : logits(r);
  }
  T* grad(int r) const { return job.grad + (first + r) * job.classes; }

  void find_maxima(int r, int end) const {
    for (; r < end; ++r) {
      if (sums.weights[r] == 0.0) continue;
      sums.most[r] = maximum(logits(r), job.classes);
      if (!soft) {
        sums.gaps[r] = double(sums.most[r]) - double(logits(r)[label_of(job, first + r)]);
      }
    }
  }
  void sum(int r, int end) const {
    for (; r < end; ++r) {
      if (sums.weights[r] == 0.0) continue;
      const RowSums row =
          job.grad
              ? sum_row<soft, true>(logits(r), targets(r), grad(r), job.classes, sums.most[r])
              : sum_row<soft, false>(logits(r), targets(r), job.grad, job.classes, sums.most[r]);
      sums.exps[r] = row.exps;
      if (soft) sums.targets[r] = row.targets;
      if (soft) sums.gaps[r] = row.gaps;
    }
  }
  void finish(int r, int end) const {
    for (; r < end; ++r) {
      T* g = grad(r);
      const double factor = job.scale * sums.weights[r];
      if (sums.weights[r] == 0.0) {
        for (int64_t j = 0; j < job.classes; ++j) g[j] = T(0);
        continue;
      }
      const T keep = T(factor * sums.targets[r] / sums.exps[r]);
      finish_row<soft>(targets(r), g, job.classes, keep, T(factor));
      if (!soft) g[label_of(job, first + r)] -= T(factor);
    }
  }
};

template <bool soft, class T>
void wide_block(const SoftmaxRows<T>& job, int64_t first, int rows, BlockSums<T>& sums) {
  const WidePasses<soft, T> passes{job, first, sums};
  const int together = job.classes <= kShared ? rows : 1;
  for (int r = 0; r < rows; r += together) {
    passes.find_maxima(r, r + together);
    passes.sum(r, r + together);
    if (job.grad) passes.finish(r, r + together);
  }
}

}  // namespace
}  // namespace proxstep::cpu
