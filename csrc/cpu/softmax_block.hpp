// What the two ways through a block of 16 softmax rows share. For loss_isa.cpp alone: all internal.
#pragma once
#include "../op/loss.hpp"
#include "lanes.hpp"
#include "loss_kernels.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

// The parts of 16 losses. An absent row, or one of weight 0, keeps these values and adds nothing.
template <class T>
struct BlockSums {
  T most[kLanes];
  double weights[kLanes], exps[kLanes], targets[kLanes], gaps[kLanes];

  PROXSTEP_FN BlockSums(const SoftmaxRows<T>& job, int64_t first, int rows) {
    for (int r = 0; r < kLanes; ++r) weights[r] = gaps[r] = 0.0;
    for (int r = 0; r < kLanes; ++r) exps[r] = targets[r] = 1.0;
    for (int r = 0; r < rows; ++r) weights[r] = job.weights ? double(job.weights[first + r]) : 1.0;
  }
  PROXSTEP_FN void add_losses(double* losses) const {
    for (int r = 0; r < kLanes; ++r) {
      losses[r] += weights[r] * op::cross_entropy(targets[r], exps[r], gaps[r]);
    }
  }
};

template <class T>
PROXSTEP_FN int64_t label_of(const SoftmaxRows<T>& job, int64_t row) {
  return job.labels32 ? job.labels32[row] : job.labels64[row];
}

}  // namespace
}  // namespace proxstep::cpu
