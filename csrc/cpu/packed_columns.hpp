// Columns of a matrix in C order, one after the other.
#pragma once
#include "kernels.hpp"

namespace proxstep::cpu {
namespace {

// Those that share a cache line, brought together when the first of them is asked for.
template <class C>
class PackedColumns {
 public:
  static constexpr int kCount = RootTile<C>::kPacked;

  PackedColumns(const RootTile<C>& t, std::int64_t first)
      : from_(t.columns),
        first_(first),
        count_(op::least<std::int64_t>(kCount, from_.n - first)),
        length_(RootTile<C>::packed_length(from_.rows)),
        packed_(t.packed) {}

  std::int64_t count() const { return count_; }
  C* z(std::int64_t k) const { return packed_ + k * length_; }
  C* s(std::int64_t k) const { return packed_ + (kCount + k) * length_; }

  __attribute__((noinline)) void pack() {
    if (done_) return;
    for (std::int64_t row = 0; row < from_.rows; ++row) {
      const C* const z_row = from_.z + row * from_.z_stride + first_;
      const C* const s_row = from_.s + row * from_.s_stride + first_;
      for (std::int64_t k = 0; k < count_; ++k) {
        z(k)[row] = z_row[k];
        s(k)[row] = s_row[k];
      }
    }
    done_ = true;
  }

 private:
  ColumnRows<C> from_;
  std::int64_t first_, count_, length_;
  C* packed_;
  bool done_ = false;
};

}  // namespace
}  // namespace proxstep::cpu
