// What is done with one tile of a task: its point, its store and its statistics. A tile stays in
// the L1 cache; 16-bit arrays are widened tile by tile.
#pragma once
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "narrow.hpp"
#include "step.hpp"

namespace proxstep::cpu {

template <class S>
class TileRunner {
 protected:
  using C = op::compute_t<S>;
  using index = std::int64_t;
  static constexpr bool kWide = std::is_same_v<S, C>;  // stored as computed

  TileRunner(const Task& task, Pass pass, Statistics* statistics)
      : t_(task),
        k_(kernels<C>()),
        narrow_(task),
        grad_scale_(task.directed ? C(1) : static_cast<C>(pass.grad_scale)),
        ahead_(ahead(task, pass)),
        statistics_(statistics),
        in_place_(kWide && !statistics && !task.extrapolates && !task.narrowing.copy) {}

  // How far it is to the elements to ask for already, which the processor does not expect: the same
  // place some rows below in columns, else the next page unless a cache holds all.
  static index ahead(const Task& task, Pass pass) {
    constexpr index page = 4096 / sizeof(C);
    if (task.groups.over == Over::columns) return kLaneRows * task.groups.count;
    return pass.from_memory ? page : 0;
  }

  template <class Body>
  static void tiles(index begin, index n, const Body& body) {
    for (index at = begin; at < begin + n; at += kTile) {
      body(at, std::min<index>(kTile, begin + n - at));
    }
  }

  S* stored(index at) const { return static_cast<S*>(t_.x) + at; }
  C* x(index at) const { return static_cast<C*>(t_.x) + at; }  // where kWide
  C* moment(int slot, index at) const { return static_cast<C*>(narrow_.moment(slot, at)); }
  const C* steps() const { return static_cast<const C*>(t_.steps); }
  const C* element_weights(index at) const {
    return t_.element.weights ? static_cast<const C*>(t_.element.weights) + at : nullptr;
  }
  bool has_steps() const { return t_.rule_steps || t_.steps; }
  // Of a tile whose rule has written its own to s; null where they are one.
  const C* steps_of(index at, const C* s) const {
    return t_.steps ? steps() + at : (t_.rule_steps ? s : nullptr);
  }

  double sum_of_squares(index begin, index end) const {
    double sum = 0.0;
    C buffer[kTile];
    tiles(begin, end - begin,
          [&](index at, index n) { sum += k_.sum_of_squares(n, wide(stored(at), n, buffer)); });
    return sum;
  }

  // z and s of one tile: rule, then the penalty of the elements.
  void point(index at, index n, C* z, C* s) const {
    if (t_.rule == kNoRule) {
      C buffer[kTile];
      const C* const from = wide(static_cast<const S*>(t_.source) + at, n, buffer);
      if (from != z) std::memcpy(z, from, static_cast<std::size_t>(n) * sizeof(C));
    } else {
      apply_rule(k_.rule[t_.rule], at, n, z, s);
    }
    if (t_.element.kind == 0) return;
    k_.prox[t_.element.kind](
        {n, z, static_cast<C>(t_.step), steps_of(at, s), element_weights(at), t_.element.settings});
  }

  void apply_rule(void (*rule)(const RuleTile<C>&), index at, index n, C* z, C* s) const {
    C x_buffer[kTile], g_buffer[kTile];
    const C* const from = wide(static_cast<const S*>(t_.source) + at, n, x_buffer);
    const C* const g = narrow_.gradient(at, n, g_buffer);
    narrow_.rule(rule, at, {n, from, g, grad_scale_, {}, z, s, t_.constants, ahead_, false, {}, 0});
  }

  // Extrapolation, statistics and the store of n <= kTile elements.
  void finish(index at, index n, const C* z) const {
    C old_buffer[kTile], new_buffer[kTile];
    const bool needs_old = statistics_ || t_.extrapolates;
    const C* const x_old = needs_old ? wide(stored(at), n, old_buffer) : nullptr;
    if (t_.extrapolates) k_.extrapolate(n, x_old, z, moment(0, at), t_.constants);
    if (!kWide) narrow_.store(at, n, z);
    if (statistics_) {
      const C* const x_new = kWide ? z : wide(stored(at), n, new_buffer);
      k_.statistics[t_.element.kind](
          {n, x_old, x_new, element_weights(at), t_.element.settings, statistics_});
      add_nm_value(n, x_new);
      if (t_.kept.given()) statistics_->penalty += k_.kept_value(n, x_new);
    }
    if (kWide) narrow_.store(at, n, z);
    if (statistics_ && t_.narrowing.copy) count_copy(at, n, z);
  }

  // What the copy of a master lost when it was rounded: zeros that were none, and overflow.
  void count_copy(index at, index n, const C* master) const {
    C buffer[kTile];
    Statistics of_master, of_copy;
    k_.statistics[0]({n, nullptr, master, nullptr, t_.element.settings, &of_master});
    narrow_.widen_copy(at, n, buffer);
    k_.statistics[0]({n, nullptr, buffer, nullptr, t_.element.settings, &of_copy});
    statistics_->nonzeros += of_copy.nonzeros - of_master.nonzeros;
    statistics_->not_finite += of_copy.not_finite - of_master.not_finite;
  }

  void element_values(index begin, index n) const {
    C buffer[kTile];
    tiles(begin, n, [&](index at, index count) {
      const C* const now = wide(stored(at), count, buffer);
      k_.statistics[t_.element.kind](
          {count, nullptr, now, element_weights(at), t_.element.settings, statistics_});
      add_nm_value(count, now);
    });
  }
  void add_nm_value(index n, const C* now) const {
    if (t_.nm.given()) statistics_->penalty += k_.nm_value(n, now, t_.nm);
  }

  const Task& t_;
  const Kernels<C>& k_;
  Narrow<S> narrow_;
  C grad_scale_;
  index ahead_;
  Statistics* statistics_;
  bool in_place_;
};

}  // namespace proxstep::cpu
