// Tiles of the 16-bit arrays of a task: widened into float32 before the loops, rounded after them.
#pragma once
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels.hpp"

namespace proxstep::cpu {

template <class C>
const Kernels<C>& kernels() {
  if constexpr (std::is_same_v<C, double>) {
    return tables().step->f64;
  } else {
    return tables().step->f32;
  }
}

// n elements in the compute type: the array itself, or its tile widened into the buffer.
template <class S>
const op::compute_t<S>* wide(const S* from, std::int64_t n, op::compute_t<S>* buffer) {
  if constexpr (std::is_same_v<S, op::bfloat16>) {
    tables().step->load_bfloat16(n, from, buffer);
    return buffer;
  } else if constexpr (std::is_same_v<S, op::float16>) {
    tables().step->load_float16(n, from, buffer);
    return buffer;
  } else {
    return from;
  }
}

// To nearest.
template <class S>
void narrow(std::int64_t n, const op::compute_t<S>* from, S* to) {
  if constexpr (std::is_same_v<S, op::bfloat16>) {
    tables().step->pack_bfloat16(n, from, to);
  } else if constexpr (std::is_same_v<S, op::float16>) {
    tables().step->pack_float16(n, from, to);
  } else {
    if (from != to) std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(S));
  }
}

// S is what x is stored in, or a master in its place.
template <class S>
class Narrow {
  using C = op::compute_t<S>;
  using index = std::int64_t;

 public:
  explicit Narrow(const Task& task) : t_(task), how_(task.narrowing) {}

  const C* gradient(index at, index n, C* buffer) const {
    if (t_.g_dtype == t_.dtype) return wide(static_cast<const S*>(t_.g) + at, n, buffer);
    beside_master(t_.g_dtype, const_cast<void*>(t_.g), [&](auto* g) { wide(g + at, n, buffer); });
    return buffer;
  }

  // x, and the copy of a master.
  void store(index at, index n, const C* from) const {
    if (how_.stochastic) return store_stochastic(at, n, from);
    narrow(n, from, static_cast<S*>(t_.x) + at);
    if (!how_.copy) return;
    beside_master(how_.copy_dtype, how_.copy, [&](auto* y) { narrow(n, from, y + at); });
  }
  void widen_copy(index at, index n, C* buffer) const {
    beside_master(how_.copy_dtype, how_.copy, [&](auto* y) { wide(y + at, n, buffer); });
  }

  // Runs a rule's loop with the moments of the elements at and on. A key serves those that agree in
  // the upper 32 bits of their index.
  void rule(void (*loop)(const RuleTile<C>&), index at, RuleTile<C>&& tile) const {
    const index n = tile.n;
    tile.n = how_.moments[0] ? std::min(n, same_key(at)) : n;
    tile.m[0] = moment(0, at), tile.m[1] = moment(1, at);
    tile.narrow = how_.moments[0];
    if (tile.narrow) tile.key = random_key(op::Purpose::moments, at);
    tile.index = static_cast<unsigned int>(at);
    loop(tile);
    if (tile.n < n) rule(loop, at + tile.n, rest(tile, n));
  }
  bool has_moments() const { return how_.moments[0]; }
  void* moment(int slot, index at) const {
    const std::size_t size = how_.moments[slot] ? sizeof(op::bfloat16) : sizeof(C);
    return t_.m[slot] ? static_cast<char*>(t_.m[slot]) + static_cast<std::size_t>(at) * size
                      : nullptr;
  }

  op::RandomKey random_key(op::Purpose purpose, index at) const {
    return op::random_key(how_.random, purpose, static_cast<unsigned long long>(at));
  }

 private:
  // Calls run with a 16-bit array as what it is; only beside a master are there any.
  template <class Run>
  static void beside_master(DType dtype, void* array, const Run& run) {
    if constexpr (std::is_same_v<S, float>) {
      if (dtype == DType::bfloat16) return run(static_cast<op::bfloat16*>(array));
      run(static_cast<op::float16*>(array));
    }
  }

  void store_stochastic(index at, index n, const C* from) const {
    if constexpr (!std::is_same_v<S, C>) {
      S* const x = static_cast<S*>(t_.x) + at;
      unsigned int bits[kTile];
      random_bits(op::Purpose::parameter, at, n, bits);
      if constexpr (std::is_same_v<S, op::bfloat16>) {
        tables().step->round_bfloat16(n, from, bits, x);
      } else {
        tables().step->round_float16(n, from, bits, x);
      }
    }
  }

  // How many elements from this one on have its key.
  static index same_key(index at) { return (((at >> 32) + 1) << 32) - at; }
  static RuleTile<C> rest(RuleTile<C> tile, index n) {
    const index done = tile.n;
    tile.n = n - done;
    tile.x += done, tile.g += done, tile.z += done;
    if (tile.s) tile.s += done;
    return tile;
  }

  // Those of elements at and on.
  void random_bits(op::Purpose purpose, index at, index n, unsigned int* to) const {
    const index count = std::min(n, same_key(at));
    tables().step->random_bits(count, random_key(purpose, at), static_cast<unsigned int>(at), to);
    if (count < n) random_bits(purpose, at + count, n - count, to + count);
  }

  const Task& t_;
  const Narrowing& how_;
};

}  // namespace proxstep::cpu
