// The losses over all rows: chunks of a fixed size go to the pool, so that neither the losses nor
// the gradients depend on the number of threads. Input is checked by the caller.
#pragma once
#include "loss_kernels.hpp"

namespace proxstep::cpu {

// The first row whose label is not one of 0..classes-1; -1 if there is none.
template <class Label>
std::int64_t first_bad_label(const Label* labels, std::int64_t rows, std::int64_t classes);

template <class T>
double softmax_cross_entropy(const SoftmaxRows<T>& job, std::int64_t rows);

// kind: an index in op::Losses.
template <class T>
double margin_loss(int kind, const MarginRows<T>& job, std::int64_t rows);

template <class T>
double logistic_loss(const LogisticRows<T>& job, std::int64_t rows);

}  // namespace proxstep::cpu
