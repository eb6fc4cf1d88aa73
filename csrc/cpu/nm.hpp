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

// The format that processors have units for. z^2 / s takes half the time of the root and the
// quotient of a score, and has its order where two differ by more than the margin and z and s are
// of the usual sizes.
template <class C>
class TwoOfFour {
  static constexpr C least_z = 0x1p-45, least_s = 0x1p-30, most = 0x1p30;

 public:
  // The two largest of every block stay; false where some could not be told: z is as it was.
  static bool keep(const NMTile<C>& t) {
    C size[kTile], bound[kTile];
    if (!sizes(t.count, t.z, t.steps, size) || !bounds(t.count, size, bound)) return false;
    C* __restrict z = t.z;
    for (std::int64_t i = 0; i < t.count; ++i) z[i] = size[i] < bound[i] ? C(0) : z[i];
    return true;
  }

 private:
  static bool sizes(std::int64_t n, const C* __restrict z, const C* __restrict s,
                    C* __restrict size) {
    op::Key<C> above_z = 0, above_s = 0;  // what is below the least wraps around
    for (std::int64_t i = 0; i < n; ++i) {
      size[i] = z[i] * z[i] / s[i];
      above_z = op::most(above_z, op::size_key(z[i]) - op::size_key(least_z));
      above_s = op::most(above_s, op::size_key(s[i]) - op::size_key(least_s));
    }
    return above_z <= op::size_key(most) - op::size_key(least_z) &&
           above_s <= op::size_key(most) - op::size_key(least_s);
  }

  static bool bounds(std::int64_t n, const C* __restrict size, C* __restrict bound) {
    int unclear = 0;
    for (std::int64_t i = 0; i < n; i += 4) {
      const C a = size[i], b = size[i + 1], c = size[i + 2], d = size[i + 3];
      const C larger = op::least(op::most(a, b), op::most(c, d));
      const C smaller = op::most(op::least(a, b), op::least(c, d));
      const C second = op::most(larger, smaller), third = op::least(larger, smaller);
      unclear |= !(second > third * (C(1) + kMargin<C>));
      bound[i] = bound[i + 1] = bound[i + 2] = bound[i + 3] = second;
    }
    return !unclear;
  }
};

template <class C>
void nm_tile(const NMTile<C>& t) {
  if (t.nm.n == 2 && t.nm.m == 4 && t.steps && TwoOfFour<C>::keep(t)) return;
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
