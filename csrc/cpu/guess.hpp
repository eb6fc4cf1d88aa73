// Guesses at the window in which the least score that stays lies. They decide how long a selection
// takes, never what it selects.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "../op/math.hpp"
#include "../op/nm.hpp"
#include "histogram.hpp"
#include "select.hpp"

namespace proxstep::cpu {

template <class C>
constexpr op::Score<C> kLargestScore = op::Bits<C>::infinity + 1;  // that of NaN

// From a sample, of which `share` is to stay: three to six standard deviations to either side.
template <class C, class W = op::Score<C>>
Window<W> guess_from(std::vector<W> sample, double share) {
  const double size = double(sample.size()), margin = 3.0 * std::sqrt(size) + 1.0;
  const auto first = sample.begin();
  const auto high = first + static_cast<std::int64_t>(std::max(0.0, size * share - margin));
  const auto low = first + static_cast<std::int64_t>(std::min(size, size * share + margin));
  Window<W> window{0, kLargestScore<C>};
  if (low < sample.end()) {
    std::nth_element(first, low, sample.end(), std::greater<W>());
    window.low = *low;
  }
  if (high > first) {
    std::nth_element(first, high, low, std::greater<W>());
    window.high = *high;
  }
  return window;
}

// Around the last end, whose move is taken to go on.
template <class C>
Window<op::Score<C>> guess_from(const LastEnd& last) {
  const auto clipped = [](double key) {
    constexpr op::Score<C> most = kLargestScore<C>;
    return key < double(most) ? static_cast<op::Score<C>>(std::max(0.0, key)) : most;
  };
  const double middle = double(last.key) + double(last.move), reach = double(last.reach);
  return {clipped(middle - reach), clipped(middle + reach)};
}

// What to remember of a selection that ended at a key; inside: the share of the elements in its
// window. A wrong guess is given more room, a window that held more than a sample would give it
// less.
template <class C>
void remember(op::Score<C> key, Window<op::Score<C>> window, double inside, LastEnd* last) {
  constexpr double least = 1LL << (op::Format<C>::mantissa_bits - 8);  // 0.4 percent of a score
  constexpr double most = double(kLargestScore<C> / 16), crowded = 1.0 / 64.0;
  const double half = double(window.high - window.low) / 2.0;
  const bool first = last->key < 0;
  const long long move = first ? 0 : key - last->key;
  const double error = std::fabs(double(move) - double(last->move));
  const double wanted = first ? half : std::max(4.0 * error, double(last->reach) / 2.0);
  const double room = inside > crowded ? half * crowded / inside : most;
  last->key = key;
  last->move = move;
  last->reach = static_cast<long long>(std::clamp(wanted, least, std::max(least, room)));
}

}  // namespace proxstep::cpu
