// What the kernels of the losses are handed by value. T is float or double.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

constexpr long long kNoRow = 0x7fffffffffffffffLL;  // beyond every row: the first of no rows
constexpr long long kLabelChunk = 16 * kThreads;    // labels that a block checks

// One label a row: one of the two, or neither where probabilities are the targets.
struct Labels {
  const int* narrow;
  const long long* wide;
  PROXSTEP_FN long long at(long long row) const { return narrow ? narrow[row] : wide[row]; }
};

// grad may be logits, or null. Where a bad row was found nothing is written.
template <class T>
struct SoftmaxCall {
  long long rows, classes;
  const T* logits;
  Labels labels;
  const T* probabilities;  // instead of labels, or null
  T* grad;
  const T* weights;  // one a row, or null
  double scale;
  int lanes, rounds;         // narrow rows: lanes that share a row, rows that they take in turn
  const long long* bad_row;  // or null: labels were not checked
  double* losses;            // one a block, or null: nobody asks
};

template <class T>
struct LogisticCall {
  long long rows;
  const T* margin;
  const T* targets;
  T* grad;           // may be margin, or null
  const T* weights;  // or null
  T scale;           // of the gradient
  double* losses;    // one a block, or null
};

struct LabelCall {
  Labels labels;
  long long rows, classes;
  long long* first_bad;  // one a block: a row or kNoRow
};
struct FirstCall {
  const long long* rows;
  int count;
  long long* to;  // the smallest
};

// What the host reads, all at once.
struct LossSum {
  double sum;  // before scale
  long long bad_row, bad_label;
};
struct LossSumCall {
  const double* losses;
  long long count;
  Labels labels;
  const long long* bad_row;  // or null
  LossSum* to;
};

}  // namespace proxstep::cuda
