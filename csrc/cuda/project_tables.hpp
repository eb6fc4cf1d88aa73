// What the kernels of projections are handed by value, and what they leave for each other.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

constexpr int kDigit = 4;  // bits of a key that a pass looks at
constexpr int kBins = 1 << kDigit;

// Elements with a certain digit. Their sum is relative to the largest.
struct Bin {
  long long count;
  double sum;
};

struct Survey {
  double total, largest;  // of the terms and of the sizes
};

// Where the selected elements of a row begin. The threshold's bin holds the elements that share
// the digits found so far; all above it are selected.
struct Threshold {
  unsigned long long key;  // these digits, with zeros below
  int shift;               // of the last of them
  bool done;
  bool inside;  // the row lies in the set and stays
  Bin above, at;
  double largest, tau;
};

struct ProjectCall {
  const void* z;
  void* out;
  long long rows, n;
  bool l1;
  double radius;
  long long k;
  // Rows of several blocks: each takes `chunk` elements.
  int blocks;
  long long chunk;
  Threshold* thresholds;  // one a row
  Survey* surveys;        // one a block
  Bin* bins;              // kBins a block
};

}  // namespace proxstep::cuda
