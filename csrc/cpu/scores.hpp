// The loops of a selection by score: the scores, those in a window, and what stays.
#pragma once
#include "../op/nm.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

template <class C>
void score_tile(const ScoreTile<C>& t) {
  op::Score<C>* __restrict score = t.scores;
  const C* __restrict z = t.z;
  const C* __restrict s = t.steps;
  if (s) {
    for (int64_t i = 0; i < t.n; ++i) score[i] = op::nm_score(z[i], s[i]);
  } else {
    for (int64_t i = 0; i < t.n; ++i) score[i] = op::nm_score(z[i]);
  }
}

// Where two values of z^2 / s differ by more than this, their scores are in the same order.
template <class C>
constexpr C kMargin = sizeof(C) == 4 ? C(0x1p-18) : C(0x1p-46);

// Elements against two scores. One step for all: the comparisons are exact.
template <class C>
struct OneStep {
  using W = op::Score<C>;
  const C* __restrict z;
  W low, high;
  OneStep(const C* z, const C*, W low, W high) : z(z), low(low), high(high) {}
  W score(int64_t i) const { return op::nm_score(z[i]); }
  W surely_above(int64_t i) const { return score(i) > high; }
  W surely_below(int64_t i) const { return score(i) < low; }
};

// A step for each: nearly always z^2 against T^2 s tells, in a fraction of the time that the root
// and the quotient of a score take. Their roundings are far below the margin while no product
// leaves the range of normal numbers; what does is not sure, and neither is NaN.
template <class C>
struct OwnSteps {
  using W = op::Score<C>;
  static constexpr C least = 0x1p-80, most = 0x1p100, most_score = 0x1p40;
  const C* __restrict z;
  const C* __restrict s;
  C low, high;
  OwnSteps(const C* z, const C* s, W low, W high)
      : z(z), s(s), low(usable(low)), high(usable(high)) {}
  static C usable(W score) {
    const C size = op::bit_cast<C>(score);
    return size <= most_score ? size : op::infinity<C>();  // infinity is never sure
  }
  static bool in_range(C product) { return (product >= least) & (product <= most); }
  W score(int64_t i) const { return op::nm_score(z[i], s[i]); }
  W surely_above(int64_t i) const {
    const C square = z[i] * z[i], bound = high * s[i] * high;
    return (square > bound * (C(1) + kMargin<C>)) & in_range(square);
  }
  W surely_below(int64_t i) const {
    const C square = z[i] * z[i], bound = low * s[i] * low;
    return (square < bound * (C(1) - kMargin<C>)) & in_range(bound);
  }
};

// The elements of a full tile that are near the bounds: few, so that it is asked of columns first
// whether they hold one. Without branches, which the processor would often guess wrong.
template <class C>
class NearOnes {
  using W = op::Score<C>;
  static constexpr int columns = kMarks;

 public:
  // look(row, column) says whether an element is near.
  template <class Look>
  explicit NearOnes(const Look& look) {
    W some[columns] = {};
    for (int row = 0; row < kTile / columns; ++row) {
      for (int j = 0; j < columns; ++j) some[j] |= near_[row * columns + j] = look(row, j);
    }
    int flagged[columns + 1], count = 0;
    for (int j = 0; j < columns; ++j) {
      flagged[count] = j;
      count += some[j] != 0;
    }
    for (int k = 0; k < count; ++k) collect(flagged[k]);
  }
  template <class Take>
  void each(const Take& take) const {
    for (int k = 0; k < count_; ++k) take(places_[k]);
  }

 private:
  void collect(int column) {
    for (int i = column; i < kTile; i += columns) {
      places_[count_] = i;
      count_ += near_[i] != 0;
    }
  }

  W near_[kTile];
  int places_[kTile + 1], count_ = 0;
};

template <class C, class Elements>
void window_loop(const WindowTile<C>& t) {
  using W = op::Score<C>;
  const Elements elements(t.z, t.steps, t.low, t.high);
  WindowCounts counts;
  W marks[kMarks] = {};
  const auto take = [&](int64_t i) {
    const W score = elements.score(i);
    counts.above += score > t.high;
    counts.at_high += score == t.high;
    counts.at_low += score == t.low;
    t.inside[counts.inside] = score;
    t.places[counts.inside] = static_cast<int>(i);
    counts.inside += (score > t.low) & (score < t.high);
    marks[i % kMarks] |= W(score <= t.low) << (i / kMarks);
  };
  if (t.n == kTile) {
    W above = 0;
    const NearOnes<C> near([&](int row, int j) {
      const W over = elements.surely_above(row * kMarks + j);
      const W below = elements.surely_below(row * kMarks + j);
      above += over;
      marks[j] |= below << row;
      return 1 - (over | below);
    });
    near.each(take);
    counts.above += above;
  } else {
    for (int64_t i = 0; i < t.n; ++i) take(i);
  }
  if (t.marks) {
    for (int j = 0; j < kMarks; ++j) t.marks[j] = static_cast<unsigned char>(marks[j]);
  }
  t.counts->above += counts.above;
  t.counts->at_high += counts.at_high;
  t.counts->inside += counts.inside;
  t.counts->at_low += t.low < t.high ? counts.at_low : 0;
}

template <class C>
void window_tile(const WindowTile<C>& t) {
  t.steps ? window_loop<C, OwnSteps<C>>(t) : window_loop<C, OneStep<C>>(t);
}

template <class C>
void keep_tile(const KeepTile<C>& t) {
  C* __restrict z = t.z;
  const C* __restrict s = t.steps;
  const op::Score<C> least = t.least;
  if (!s) {
    for (int64_t i = 0; i < t.n; ++i) z[i] = op::nm_score(z[i]) >= least ? z[i] : C(0);
    return;
  }
  const auto decide = [&](int64_t i) { z[i] = op::nm_score(z[i], s[i]) >= least ? z[i] : C(0); };
  if (t.n < kTile) {
    for (int64_t i = 0; i < t.n; ++i) decide(i);
    return;
  }
  const OwnSteps<C> elements(z, s, least, least);
  const NearOnes<C> near([&](int row, int j) {
    const int i = row * kMarks + j;
    const op::Score<C> below = elements.surely_below(i), above = elements.surely_above(i);
    z[i] = below ? C(0) : z[i];
    return 1 - (below | above);
  });
  near.each(decide);
}

template <class C>
void drop_tile(int64_t n, C* __restrict z, const unsigned char* __restrict marks) {
  const int rows = static_cast<int>(n / kMarks);
  for (int row = 0; row < rows; ++row) {
    C* const own = z + row * kMarks;
    for (int j = 0; j < kMarks; ++j) own[j] = (marks[j] >> row) & 1 ? C(0) : own[j];
  }
  for (int64_t i = rows * kMarks; i < n; ++i) {
    if ((marks[i % kMarks] >> rows) & 1) z[i] = C(0);
  }
}

template <class C>
double kept_value(int64_t n, const C* x) {
  return lane_sum(n, [=](int64_t i) { return double(op::zero_or_nan(x[i])); });
}

// The steps of elements whose moments are those of the step already.
template <class C, class Rule>
void steps_tile(const StepsTile<C>& t) {
  if constexpr (!Rule::scalar_step) {
    const Rule rule(t.constants);
    const C* __restrict m = t.m[Rule::slots - 1];
    C* __restrict s = t.s;
    for (int64_t i = 0; i < t.n; ++i) s[i] = rule.step(m[i]);
  }
}

}  // namespace
}  // namespace proxstep::cpu
