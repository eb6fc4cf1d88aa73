// The loops of N:M sparsity: all pairs of a block are compared, without branches.
#pragma once
#include "scores.hpp"

namespace proxstep::cpu {
namespace {

// Short blocks: their ranks fit registers, so that many blocks are taken abreast.
template <class C, int m>
void keep_short(const NMTile<C>& t, const op::Score<C>* __restrict score) {
  C* __restrict z = t.z;
  const op::Score<C> n = t.nm.n;
  for (std::int64_t begin = 0; begin < t.count; begin += m) {
    op::Score<C> rank[m] = {};
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < m; ++j) {
        rank[i] += op::nm_ahead(score[begin + j], score[begin + i], j < i);
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) z[begin + i] = rank[i] < n ? z[begin + i] : C(0);
  }
}

// Long ones: all elements of a block are compared with each of them in turn. Unrolled, these loops
// would no longer vectorise.
template <class C, int m>
void keep_long(const NMTile<C>& t, const op::Score<C>* __restrict score) {
  C* __restrict z = t.z;
  const op::Score<C> n = t.nm.n;
  for (std::int64_t begin = 0; begin < t.count; begin += m) {
    op::Score<C> rank[m] = {};
    for (int j = 0; j < m; ++j) {
      const op::Score<C> other = score[begin + j];
#pragma GCC unroll 1
      for (int i = 0; i < m; ++i) rank[i] += op::nm_ahead(other, score[begin + i], j < i);
    }
#pragma GCC unroll 1
    for (int i = 0; i < m; ++i) z[begin + i] = rank[i] < n ? z[begin + i] : C(0);
  }
}

template <class C>
void nm_tile(const NMTile<C>& t) {
  op::Score<C> score[kTile];
  score_tile<C>({t.count, t.z, t.steps, score});
  switch (t.nm.m) {
    case 2:
      return keep_short<C, 2>(t, score);
    case 4:
      return keep_short<C, 4>(t, score);
    case 8:
      return keep_short<C, 8>(t, score);
    case 16:
      return keep_long<C, 16>(t, score);
    default:
      static_assert(op::kLongestNM == 32, "all lengths are listed");
      return keep_long<C, 32>(t, score);
  }
}

// Ranked in the order of memory, the nonzeros of a block among themselves.
template <class C>
double nm_value(std::int64_t count, const C* x, NM nm) {
  double sum = 0.0;
  for (std::int64_t begin = 0; begin < count; begin += nm.m) {
    int nonzeros = 0;
    for (int i = 0; i < nm.m; ++i) {
      sum += double(op::nm_value(x[begin + i], nonzeros, nm.n));
      nonzeros += x[begin + i] != C(0);
    }
  }
  return sum;
}

}  // namespace
}  // namespace proxstep::cpu
