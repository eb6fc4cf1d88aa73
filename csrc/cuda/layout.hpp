// How the arrays of a step are stored. Kernels that take a storage type take one of these as well.
#pragma once
#include "../op/scalar.hpp"

namespace proxstep::cuda {

// x in TheX, its gradient in TheG; where they differ x is a master and has a copy of the gradient's
// type. The moments may be bfloat16 and x rounded stochastically: the settings of a launch tell.
template <class TheX, class TheG>
struct Mixed {};

template <class S>
struct LayoutOf {
  using X = S;
  using G = S;
  static constexpr bool is_mixed = false, has_copy = false;
};
template <class TheX, class TheG>
struct LayoutOf<Mixed<TheX, TheG>> {
  using X = TheX;
  using G = TheG;
  static constexpr bool is_mixed = true, has_copy = sizeof(TheX) != sizeof(TheG);
};
template <class S>
using x_t = typename LayoutOf<S>::X;
template <class S>
using g_t = typename LayoutOf<S>::G;

}  // namespace proxstep::cuda

namespace proxstep::op {

template <class X, class G>
struct Storage<cuda::Mixed<X, G>> {
  using compute = compute_t<X>;
};

}  // namespace proxstep::op
