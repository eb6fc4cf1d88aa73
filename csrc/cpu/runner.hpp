// One chunk of one task.
#pragma once
#include <algorithm>
#include <type_traits>

#include "column_runner.hpp"

namespace proxstep::cpu {

template <class S>
class Runner : protected ColumnRunner<S> {
  using Tile = TileRunner<S>;
  using Groups = ColumnRunner<S>;
  using C = typename Tile::C;
  using index = typename Tile::index;
  using Tile::ahead_;
  using Tile::apply_rule;
  using Tile::finish;
  using Tile::grad_scale_;
  using Tile::in_place_;
  using Tile::k_;
  using Tile::kWide;
  using Tile::moment;
  using Tile::narrow_;
  using Tile::point;
  using Tile::statistics_;
  using Tile::steps;
  using Tile::steps_of;
  using Tile::t_;
  using Tile::tiles;
  using Tile::x;

 public:
  Runner(const Task& task, Pass pass, Statistics* statistics) : Groups(task, pass, statistics) {}
  using Groups::columns;
  using Groups::segments;
  using Groups::sum_of_squares;
  using Groups::value;

  void elements(index begin, index end) {
    if (const auto direct = direct_loop()) return direct(direct_arguments(begin, end - begin));
    if (const auto narrow = narrow_loop()) return narrow(narrow_arguments(begin, end - begin));
    C z[kTile], s[kTile];
    if (t_.stepped) return drop(begin, end);
    tiles(begin, end - begin, [&](index at, index n) {
      C* const zs = in_place_ ? x(at) : z;
      point(at, n, zs, t_.rule_steps ? s : nullptr);
      if (t_.nm.given()) k_.nm({n, zs, steps_of(at, s), t_.nm});
      if (t_.kept.given()) keep_largest(at, n, zs, steps_of(at, s));
      if (!in_place_) finish(at, n, zs);
    });
  }

  // body(first, count, z, steps or null) over the points that a selection ranks. They are stored
  // where the task says that all is stepped, else only looked at.
  template <class Body>
  void points(index begin, index end, const Body& body) const {
    C z[kTile], s[kTile];
    tiles(begin, end - begin, [&](index at, index n) {
      if (!t_.stepped) apply_rule(k_.point[t_.rule], at, n, z, t_.rule_steps ? s : nullptr);
      body(at, n, t_.stepped ? x(at) : z, stepped_or(at, n, s));
    });
  }

  // The same, and stores them with the moments: the step but for what is to be dropped.
  template <class Body>
  void step_points(index begin, index end, const Body& body) const {
    C s[kTile];
    tiles(begin, end - begin, [&](index at, index n) {
      apply_rule(k_.rule[t_.rule], at, n, x(at), t_.rule_steps ? s : nullptr);
      body(at, n, x(at), steps_of(at, s));
    });
  }

 private:
  auto direct_loop() const -> void (*)(const DirectRun<C>&) {
    const bool stores = in_place_ || (kWide && t_.extrapolates && !statistics_);
    if (!stores || !is_plain() || narrow_.has_moments()) return nullptr;
    return k_.direct[t_.rule][t_.element.kind];
  }
  // A rule and a penalty of the elements, and nothing that needs more than one pass over a tile.
  bool is_plain() const {
    return t_.rule != kNoRule && !t_.element.weights && !t_.nm.given() && !t_.kept.given() &&
           !t_.narrowing.copy;
  }
  DirectRun<C> direct_arguments(index at, index n) const {
    return {n,
            x(at),
            reinterpret_cast<const C*>(static_cast<const S*>(t_.g) + at),
            grad_scale_,
            {moment(0, at), moment(1, at)},
            t_.constants,
            t_.element.settings,
            ahead_,
            t_.euclidean};
  }
  auto narrow_loop() const -> void (*)(const NarrowRun&) {
    if (!std::is_same_v<S, float> || !in_place_ || !is_plain()) return nullptr;
    if (!narrow_.has_moments() || t_.euclidean) return nullptr;
    return tables().step->direct_narrow[t_.rule][t_.element.kind];
  }
  // Chunks never cross a multiple of 2^32, so that one key serves.
  NarrowRun narrow_arguments(index at, index n) const {
    return {n,
            {static_cast<float*>(t_.x) + at,
             static_cast<const float*>(t_.g) + at,
             {static_cast<op::bfloat16*>(narrow_.moment(0, at)),
              static_cast<op::bfloat16*>(narrow_.moment(1, at))}},
            static_cast<float>(grad_scale_),
            t_.constants,
            t_.element.settings,
            ahead_,
            narrow_.random_key(op::Purpose::moments, at),
            static_cast<unsigned int>(at)};
  }

  // Steps of a tile that the rule has just written to s, or that follow from the moments.
  const C* stepped_or(index at, index n, C* s) const {
    if (t_.stepped && t_.rule_steps) {
      k_.steps[t_.rule]({n, {moment(0, at), moment(1, at)}, t_.constants, s});
    }
    return steps_of(at, s);
  }
  void drop(index begin, index end) const {
    C s[kTile];
    tiles(begin, end - begin, [&](index at, index n) {
      if (t_.marks) return k_.drop(n, x(at), t_.marks + at / kTile * kMarks);
      keep_largest(at, n, x(at), stepped_or(at, n, s));
    });
  }

  // Ties stay up to a place, at which a tile may be cut in two.
  void keep_largest(index at, index n, C* z, const C* s) const {
    const auto key = static_cast<op::Score<C>>(t_.kept.key);
    const index early = std::clamp<index>(t_.kept.ties_end - at, 0, n);
    k_.keep({early, z, s, key});
    k_.keep({n - early, z + early, s ? s + early : nullptr, key + 1});
  }
};

}  // namespace proxstep::cpu
