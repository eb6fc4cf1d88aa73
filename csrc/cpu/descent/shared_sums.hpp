// Sums of h over the samples that a sparse column shares with others, told by a bit of each sample
// and column: there is no branch, and no sum leaves its register.
#pragma once
#include "kernels.hpp"
#include "wide.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

typedef long long WideBits __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));

// The sums of V vectors of bits. A sample without the bit adds 0: no sum depends on the vectors.
template <int V, class I>
inline void add_shared(const Column& x, const double* h, const std::uint64_t* words, int64_t first,
                       double* sums) {
  const I* at = static_cast<const I*>(x.indices);
  Wide sum[V] = {};
  std::uint64_t bits[V * kWide];
  for (int e = 0; e < V * kWide; ++e) bits[e] = std::uint64_t{1} << (first + e);
  const WideBits* const bit = reinterpret_cast<const WideBits*>(bits);
  for (int64_t k = 0; k < x.count; ++k) {
    const WideBits word = static_cast<long long>(words[at[k]]) - WideBits{};
    const WideBits value = (WideBits)(h[at[k]] - Wide{});
    for (int v = 0; v < V; ++v) sum[v] += (Wide)(value & ((word & bit[v]) != 0));
  }
  for (int v = 0; v < V; ++v) vector(sums + first + v * kWide) = sum[v];
}

template <class I>
void shared_sums(const Column& x, const double* h, const std::uint64_t* words, int64_t bits,
                 double* sums) {
  static_assert(kWordBits % (4 * kWide) == 0, "the last vectors have bits of the word");
  for (int64_t first = 0; first < bits; first += 4 * kWide) {
    const int64_t left = bits - first;
    if (left <= kWide) {
      add_shared<1, I>(x, h, words, first, sums);
    } else if (left <= 2 * kWide) {
      add_shared<2, I>(x, h, words, first, sums);
    } else {
      add_shared<4, I>(x, h, words, first, sums);
    }
  }
}

}  // namespace
}  // namespace proxstep::cpu
