// What the kernels of selections are handed by value, and what they leave for each other. The
// blocks of a selection are numbered in the order of its arrays, whatever launches they are of.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

constexpr int kManyRanked = 340;            // arrays of a table
constexpr int kWideDigit = 11;              // bits of a score that a pass looks at:
constexpr int kWideBins = 1 << kWideDigit;  // its bins fit shared memory
constexpr int kSelectionsAtOnce = 1024;
constexpr int kRatesAtOnce = 512;

template <class C>
constexpr int kScoreBits = 8 * sizeof(C) - 1;  // the sign is never set
template <class C>
constexpr int kPasses = (kScoreBits<C> + kWideDigit - 1) / kWideDigit;
template <class C>
constexpr int kLastBins = 1 << (kScoreBits<C> - (kPasses<C> - 1) * kWideDigit);

// The bits that a pass looks at: below `above`, down to `shift`.
struct Digit {
  int above, shift;
};
template <class C>
PROXSTEP_FN Digit digit_of(int pass) {
  const int above = kScoreBits<C> - pass * kWideDigit;
  return {above, above > kWideDigit ? above - kWideDigit : 0};
}

// Where a selection ends. Of the `count` scores with the digits found so far the `rank` largest
// stay, and all above them.
struct Cut {
  unsigned long long key;  // these digits, with zeros below
  long long rank, count;
  int first_block;
  bool moves;  // not all steps are zero
  bool done;
  long long moving;  // elements whose rates in the device's memory are not zero
};

struct Ranking {
  Cut* cuts;                 // one a selection
  unsigned long long* bins;  // kWideBins a selection: its scores by a digit
  unsigned* last_bins;       // kLastBins a block: its scores by the last digit
  long long chunk;           // elements of a block
};

template <class C>
struct SelectArray : RuleArray<C> {
  int selection, first_block;
};
template <class C>
struct SelectSettings : RuleSettings<C> {
  Ranking ranking;
  int pass;
  const double* rate;  // in the device's memory, or null
  bool in_place;       // the first pass stores the points in x and all that changes beside them
};
template <class C, int capacity>
using SelectTable = Table<C, SelectArray<C>, SelectSettings<C>, C, capacity>;

// Of several selections.
struct StartCall {
  Cut* cuts;
  unsigned long long* bins;
  bool moves;  // until the rates tell
  long long keep[kSelectionsAtOnce], elements[kSelectionsAtOnce];
  int first_block[kSelectionsAtOnce];
};
// The rates in the device's memory, in the order of their selections.
struct MovesCall {
  Cut* cuts;
  int count;
  const double* rates[kRatesAtOnce];
  int selections[kRatesAtOnce];
  long long elements[kRatesAtOnce];  // that have the rate
  long long keep[kRatesAtOnce];      // of the selection,
  double densities[kRatesAtOnce];    // unless this is a number
};
struct CutCall {
  Cut* cuts;
  unsigned long long* bins;
  int pass;
};

}  // namespace proxstep::cuda
