// Rules and penalties as bytes that a kernel takes by value. They are built on the host, so that a
// float kernel holds no double arithmetic.
#pragma once
#include "../op/prox.hpp"
#include "../op/update.hpp"

namespace proxstep::cuda {

// A prox alone is a step by these: the gradient's place holds the point.
template <class T>
struct Given {
  static constexpr int slots = 0, stored = 0;
  static constexpr bool scalar_step = true, extrapolates = false;
  T step;
  PROXSTEP_FN explicit Given(const double* c) : step(T(c[0])) {}
  PROXSTEP_FN op::Point<T> operator()(T, T z, T*) const { return {z, step}; }
};
// m[0] = the elements' own steps.
template <class T>
struct GivenEach {
  static constexpr int slots = 1, stored = 0;
  static constexpr bool scalar_step = false, extrapolates = false;
  PROXSTEP_FN explicit GivenEach(const double*) {}
  PROXSTEP_FN op::Point<T> operator()(T, T z, T* m) const { return {z, m[0]}; }
};

template <class List>
struct WithGiven;
template <template <class> class... Members>
struct WithGiven<op::List<Members...>> {
  using type = op::List<Members..., Given, GivenEach>;
};
using Rules = WithGiven<op::Rules>::type;
constexpr int kGiven = op::Rules::size, kGivenEach = kGiven + 1;

template <int index, class C>
using RuleAt = typename op::MemberAt<index, Rules>::template of<C>;

template <class C>
struct AnyRule {
  C held[op::kMaxConstants];  // as bytes, copies would be byte by byte
};

template <class C>
struct AnyPenalty {
  int kind;
  C held[op::kMaxSettings];
};

// Rule or penalty M from its numbers, into what can hold it.
template <class M, class C, int size>
PROXSTEP_FN void put(C (&held)[size], const double* numbers) {
  static_assert(sizeof(M) <= sizeof held, "each fits");
  const M member(numbers);
  memcpy(held, &member, sizeof member);
}

// Calls run(penalty) with the penalty that was put.
template <class C, class Run>
PROXSTEP_FN void with_penalty(const AnyPenalty<C>& any, const Run& run) {
  op::with_member(op::Penalties{}, any.kind, [&](auto member) {
    run(*reinterpret_cast<const typename decltype(member)::template of<C>*>(any.held));
  });
}

}  // namespace proxstep::cuda
