// What is selected and what becomes of it: Ball (the l1 ball and the simplex) and TopK.
#pragma once
#include "../op/project.hpp"
#include "project_tables.hpp"

namespace proxstep::cuda {

// The active elements: those above the tau for which what exceeds it sums to the radius.
template <class S>
struct Ball {
  using Storage = op::Storage<S>;
  static constexpr bool sums = true, in_order = false;
  bool l1;
  double radius;
  __device__ explicit Ball(const ProjectCall& call) : l1(call.l1), radius(call.radius) {}

  __device__ double size(S x) const { return op::ball_size(l1, Storage::load(x)); }
  // Of finite sizes too the sum may be infinite; the simplex has no use for it.
  __device__ double term(double size) const { return l1 ? size : size - size; }
  __device__ op::Key<S> key(S x) const { return l1 ? op::size_key(x) : op::number_key(x); }
  __device__ S number(op::Key<S> key) const {
    return l1 ? op::Bits<S>::number(key) : op::key_number<S>(key);
  }
  __device__ double below_largest(S x, const Threshold& t) const { return size(x) - t.largest; }
  // Elements that lie further below the largest than the radius cannot be active.
  __device__ bool can_be_selected(S x, const Threshold& t) const {
    return below_largest(x, t) > -radius;
  }

  __device__ void begin(const Survey& survey, Threshold& t) const {
    t.largest = survey.largest;
    t.inside = l1 && survey.total <= radius;
    // 0, or NaN where an element is not finite.
    t.tau = op::zero_or_nan(survey.total) + (survey.largest - survey.largest);
    t.done = t.inside || radius == 0.0 || !(t.tau == 0.0);
  }
  // What exceeds the bin's lower end reaches the radius: tau lies in the bin or above it.
  __device__ bool suffices(const Bin& with, op::Key<S> key, const Threshold& t) const {
    const double end = below_largest(number(key), t);
    return with.sum - static_cast<double>(with.count) * end >= radius;
  }
  // The bin holds equal elements or at most one: with or without them, tau is the greater.
  __device__ void end(Threshold& t) const {
    const double above = static_cast<double>(t.above.count);
    const double all = static_cast<double>(t.above.count + t.at.count);
    t.tau = op::most((t.above.sum - radius) / above, (t.above.sum + t.at.sum - radius) / all);
  }
  __device__ S result(S x, const Threshold& t) const {
    if (t.inside) return x;
    const double kept = op::ball_element(l1, Storage::load(x), t.largest, t.tau);
    return Storage::pack(static_cast<typename Storage::compute>(kept));
  }
};

// The k largest magnitudes; of equal ones the first.
template <class S>
struct TopK {
  static constexpr bool sums = false, in_order = true;
  long long k;
  __device__ explicit TopK(const ProjectCall& call) : k(call.k) {}

  __device__ op::Key<S> key(S x) const { return op::size_key(x); }
  __device__ bool can_be_selected(S, const Threshold&) const { return true; }
  __device__ void begin(const Survey&, Threshold&) const {}
  __device__ bool suffices(const Bin& with, op::Key<S>, const Threshold&) const {
    return with.count >= k;
  }
  __device__ void end(Threshold&) const {}
  __device__ long long wanted_ties(const Threshold& t) const { return k - t.above.count; }
  __device__ S result(S x, const Threshold& t) const {
    return key(x) >> t.shift >= static_cast<op::Key<S>>(t.key >> t.shift) ? x : S{};
  }
};

}  // namespace proxstep::cuda
