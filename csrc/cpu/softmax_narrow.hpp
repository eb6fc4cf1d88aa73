// Rows of few classes, 16 abreast and one a lane, so that no row pays for sums across lanes.
#pragma once
#include "softmax_block.hpp"

namespace proxstep::cpu {
namespace {

constexpr int kNarrow = 32;  // classes up to which the transposition pays

// 16 rows with class j of row r at [j * kLanes + r]. Rows without weight are not read and stay 0.
template <class T>
struct Transposed {
  T at[kNarrow * kLanes];

  PROXSTEP_FN Transposed() {}  // not cleared: read fills what is used

  PROXSTEP_FN void read(const T* rows, int64_t classes, const double* weights) {
    for (int64_t k = 0; k < classes * kLanes; ++k) at[k] = T(0);
    for (int r = 0; r < kLanes; ++r) {
      const T* row = rows + r * classes;
      T* lane = at + r;
      for (int64_t j = 0; j < classes && weights[r] != 0.0; ++j) lane[j * kLanes] = row[j];
    }
  }
  PROXSTEP_FN void write(T* rows, int64_t classes, int count) const {
    for (int r = 0; r < count; ++r) {
      T* row = rows + r * classes;
      const T* lane = at + r;
      for (int64_t j = 0; j < classes; ++j) row[j] = lane[j * kLanes];
    }
  }
};

template <bool soft, class T>
struct NarrowPasses {
  const SoftmaxRows<T>& job;
  int64_t first;
  int rows;
  BlockSums<T>& sums;
  Transposed<T> x, t;

  int64_t label_cell(int r) const { return label_of(job, first + r) * kLanes + r; }

  PROXSTEP_FN void read() {
    x.read(job.logits + first * job.classes, job.classes, sums.weights);
    if (soft) t.read(job.probabilities + first * job.classes, job.classes, sums.weights);
  }
  PROXSTEP_FN void find_maxima() {
    for (int r = 0; r < kLanes; ++r) sums.most[r] = op::Format<T>::lowest;
    for (int64_t k = 0; k < job.classes * kLanes; k += kLanes) {
#pragma GCC ivdep
      for (int r = 0; r < kLanes; ++r) sums.most[r] = op::most(sums.most[r], x.at[k + r]);
    }
    for (int r = 0; r < rows && !soft; ++r) {
      if (sums.weights[r] == 0.0) continue;
      sums.gaps[r] = double(sums.most[r]) - double(x.at[label_cell(r)]);
    }
  }
  PROXSTEP_FN void sum() {
    T exps[kLanes] = {}, targets[kLanes] = {}, gaps[kLanes] = {};
    for (int64_t k = 0; k < job.classes * kLanes; k += kLanes) {
      for (int r = 0; r < kLanes; ++r) {
        if (soft) targets[r] += t.at[k + r];
        if (soft) gaps[r] += op::cross_entropy_gap(t.at[k + r], x.at[k + r], sums.most[r]);
        const T e = op::exp_nonpositive(x.at[k + r] - sums.most[r]);
        x.at[k + r] = e;
        exps[r] += e;
      }
    }
    for (int r = 0; r < kLanes; ++r) sums.exps[r] = double(exps[r]);
    for (int r = 0; r < kLanes && soft; ++r) sums.targets[r] = double(targets[r]);
    for (int r = 0; r < kLanes && soft; ++r) sums.gaps[r] = double(gaps[r]);
  }
  PROXSTEP_FN void finish() {
    T keep[kLanes], factor[kLanes];
    for (int r = 0; r < kLanes; ++r) {
      factor[r] = T(job.scale * sums.weights[r]);
      keep[r] = T(job.scale * sums.weights[r] * sums.targets[r] / sums.exps[r]);
    }
    for (int64_t k = 0; k < job.classes * kLanes; k += kLanes) {
      for (int r = 0; r < kLanes; ++r) {
        const T e = keep[r] * x.at[k + r];
        x.at[k + r] = soft ? e - factor[r] * t.at[k + r] : e;
      }
    }
    for (int r = 0; r < rows && !soft; ++r) x.at[label_cell(r)] -= factor[r];
    x.write(job.grad + first * job.classes, job.classes, rows);
  }
};

template <bool soft, class T>
void narrow_block(const SoftmaxRows<T>& job, int64_t first, int rows, BlockSums<T>& sums) {
  NarrowPasses<soft, T> passes{job, first, rows, sums, {}, {}};
  passes.read();
  passes.find_maxima();
  passes.sum();
  if (job.grad) passes.finish();
}

}  // namespace
}  // namespace proxstep::cpu
