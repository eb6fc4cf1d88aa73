// Where among integers the one of a certain rank lies, from counts in bins of equal width.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace proxstep::cpu {

// Both ends belong to it.
template <class W>
struct Window {
  W low, high;
};

// The place of a number: the rank-th largest, from 1, of the count inside the window.
template <class W>
struct Place {
  Window<W> window;
  std::int64_t rank, count;
};

template <class W>
class Histogram {
 public:
  explicit Histogram(Window<W> window) : window_(window) {
    while ((window.high - window.low) >> shift_ >= kBins) ++shift_;
  }

  void add(W value) {
    if (value < window_.low || value > window_.high) return;
    ++counts_[static_cast<std::size_t>((value - window_.low) >> shift_)];
  }
  void add(const Histogram& other) {
    for (std::size_t bin = 0; bin < kBins; ++bin) counts_[bin] += other.counts_[bin];
  }

  Place<W> find(std::int64_t rank) const {
    std::size_t bin = kBins - 1;
    while (bin > 0 && counts_[bin] < rank) rank -= counts_[bin--];
    const W low = window_.low + (static_cast<W>(bin) << shift_);
    const W last = (W(1) << shift_) - 1;
    return {{low, window_.high - low < last ? window_.high : low + last}, rank, counts_[bin]};
  }

 private:
  static constexpr int kBins = 2048;  // fit the L1 cache
  Window<W> window_;
  int shift_ = 0;
  std::array<std::int64_t, kBins> counts_{};
};

}  // namespace proxstep::cpu
