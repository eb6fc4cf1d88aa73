// The loops of the step. Compiled once per instruction set with -DPROXSTEP_ISA=<name>.
// No library templates, and no external linkage but the table: the linker must not merge a copy
// compiled for one processor with that of another.
#include "fetch.hpp"
#include "group_columns.hpp"
#include "groups.hpp"
#include "kernels.hpp"
#include "lanes.hpp"
#include "nm.hpp"
#include "quantize.hpp"
#include "small_groups.hpp"

#define PROXSTEP_JOIN2(a, b) a##b
#define PROXSTEP_JOIN(a, b) PROXSTEP_JOIN2(a, b)
#define PROXSTEP_TEXT2(a) #a
#define PROXSTEP_TEXT(a) PROXSTEP_TEXT2(a)

namespace proxstep::cpu {
namespace {

using std::int64_t;

// body(begin, end) over n elements. The processor's own prefetchers stop where a page ends, so that
// a loop over several arrays in memory waits there for each of them; in a cache it need not ask.
template <class Rule, class T, class M0, class M1, class Body>
inline __attribute__((always_inline)) void stream(int64_t n, int64_t ahead, const T* x, const T* g,
                                                  const M0* m0, const M1* m1, const Body& body) {
  constexpr int64_t part = 64;  // fills lines of every array
  if (ahead == 0) return body(0, n);
  for (int64_t i = 0; i < n; i += part) {
    fetch<part>(x + i + ahead);
    fetch<part>(g + i + ahead);
    if (Rule::slots > 0) fetch<part>(m0 + i + ahead);
    if (Rule::slots > 1) fetch<part>(m1 + i + ahead);
    body(i, op::least(i + part, n));
  }
}

template <bool narrow, class C>
struct MomentOf {
  using type = C;
};
template <class C>
struct MomentOf<true, C> {
  using type = op::bfloat16;
};

template <class C, class Rule, bool narrow, bool in_place, bool with_steps, bool stores = true>
void rule_loop(const RuleTile<C>& t) {
  using M0 = typename MomentOf<(narrow && Rule::stored > 0), C>::type;
  using M1 = typename MomentOf<(narrow && Rule::stored > 1), C>::type;
  const Rule rule(t.constants);
  const C scale = t.grad_scale;
  const C* __restrict x = t.x;
  const C* __restrict g = t.g;
  M0* __restrict m0 = static_cast<M0*>(t.m[0]);
  M1* __restrict m1 = static_cast<M1*>(t.m[1]);
  C* __restrict z = t.z;
  C* __restrict s = t.s;
  op::RandomBits bits(t.key, t.index);
  const auto run = [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
#pragma GCC ivdep  // six pointers are more than GCC 12 checks for aliases on its own
    for (int64_t i = begin; i < end; ++i, ++bits) {
      C m[op::kMaxSlots] = {};
      if (Rule::slots > 0) m[0] = op::Storage<M0>::load(m0[i]);
      if (Rule::slots > 1) m[1] = op::Storage<M1>::load(m1[i]);
      const op::Point<C> at = rule(in_place ? z[i] : x[i], g[i] * scale, m);
      if (stores && Rule::stored > 0) op::store_moment(&m0[i], m[0], *bits, 0);
      if (stores && Rule::stored > 1) op::store_moment(&m1[i], m[1], *bits, 1);
      z[i] = at.z;
      if (with_steps) s[i] = at.s;
    }
  };
  if (!in_place) return run(0, t.n);
  stream<Rule>(t.n, t.ahead, z, g, m0, m1, run);
}

template <class C, class Rule, bool narrow>
void rule_on(const RuleTile<C>& t) {
  if (t.z == t.x) {
    t.s ? rule_loop<C, Rule, narrow, true, true>(t) : rule_loop<C, Rule, narrow, true, false>(t);
  } else {
    t.s ? rule_loop<C, Rule, narrow, false, true>(t) : rule_loop<C, Rule, narrow, false, false>(t);
  }
}

template <class C, class Rule>
void rule_tile(const RuleTile<C>& t) {
  if constexpr (sizeof(C) == sizeof(float) && Rule::stored > 0) {
    if (t.narrow) return rule_on<C, Rule, true>(t);
  }
  rule_on<C, Rule, false>(t);
}

template <class C, class Rule, bool narrow>
void point_on(const RuleTile<C>& t) {
  t.s ? rule_loop<C, Rule, narrow, false, true, false>(t)
      : rule_loop<C, Rule, narrow, false, false, false>(t);
}
template <class C, class Rule>
void point_tile(const RuleTile<C>& t) {
  if constexpr (sizeof(C) == sizeof(float) && Rule::stored > 0) {
    if (t.narrow) return point_on<C, Rule, true>(t);
  }
  point_on<C, Rule, false>(t);
}

template <class C>
void extrapolate(int64_t n, const C* __restrict x_old, const C* __restrict x_new, C* __restrict y,
                 const double* constants) {
  const op::FISTA<C> rule(constants);
  for (int64_t i = 0; i < n; ++i) y[i] = rule.extrapolate(x_old[i], x_new[i]);
}

template <class C, class P>
void prox_tile(const ProxTile<C>& t) {
  const P penalty(t.settings);
  const C step = t.step;
  C* __restrict z = t.z;
  const C* __restrict s = t.steps;
  const C* __restrict w = t.weights;
  if (s && w) {
    for (int64_t i = 0; i < t.n; ++i) z[i] = op::weighted_prox(penalty, z[i], s[i], w[i]);
  } else if (w) {
    for (int64_t i = 0; i < t.n; ++i) z[i] = op::weighted_prox(penalty, z[i], step, w[i]);
  } else if (s) {
    for (int64_t i = 0; i < t.n; ++i) z[i] = penalty.prox(z[i], s[i]);
  } else {
    for (int64_t i = 0; i < t.n; ++i) z[i] = penalty.prox(z[i], step);
  }
}

// A rule whose elements have steps of their own, in the Euclidean metric.
template <class C, class Rule>
struct Euclidean : Rule {
  using Rule::Rule;
  PROXSTEP_FN op::Point<C> operator()(C x, C g, C* m) const {
    return {Rule::operator()(x, g, m).z, this->lr};
  }
};

template <class C, class Rule, class P>
void direct_loop(const DirectRun<C>& t) {
  const Rule rule(t.constants);
  const P penalty(t.settings);
  const C scale = t.grad_scale;
  C* __restrict x = t.x;
  const C* __restrict g = t.g;
  C* __restrict m0 = t.m[0];
  C* __restrict m1 = t.m[1];
  const op::StepArrays<C> arrays{x, g, {m0, m1}};
  const auto run = [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) op::step_one(arrays, i, scale, rule, penalty);
  };
  stream<Rule>(t.n, t.ahead, x, g, m0, m1, run);
}

template <class C, class Rule, class P>
void direct_run(const DirectRun<C>& t) {
  if constexpr (!Rule::scalar_step) {
    if (t.euclidean) return direct_loop<C, Euclidean<C, Rule>, P>(t);
  }
  direct_loop<C, Rule, P>(t);
}

template <class S>
void load(int64_t n, const S* __restrict from, float* __restrict to) {
  for (int64_t i = 0; i < n; ++i) to[i] = op::Storage<S>::load(from[i]);
}
template <class S>
void pack(int64_t n, const float* __restrict from, S* __restrict to) {
  for (int64_t i = 0; i < n; ++i) to[i] = op::Storage<S>::pack(from[i]);
}

void random_bits(int64_t n, op::RandomKey key, unsigned int index, unsigned int* __restrict to) {
  op::RandomBits bits(key, index);
  for (int64_t i = 0; i < n; ++i, ++bits) to[i] = *bits;
}
void round_bfloat16(int64_t n, const float* __restrict from, const unsigned int* __restrict bits,
                    op::bfloat16* __restrict to) {
  for (int64_t i = 0; i < n; ++i) to[i] = op::round_bfloat16(from[i], bits[i]);
}
void round_float16(int64_t n, const float* __restrict from, const unsigned int* __restrict bits,
                   op::float16* __restrict to) {
  for (int64_t i = 0; i < n; ++i) to[i] = op::round_float16(from[i], bits[i]);
}

template <class Rule, class P>
void narrow_run(const NarrowRun& t) {
  const Rule rule(t.constants);
  const P penalty(t.settings);
  const float scale = t.grad_scale;
  op::RandomBits bits(t.key, t.index);
  float* __restrict x = t.arrays.x;
  const float* __restrict g = t.arrays.g;
  op::bfloat16* __restrict m0 = t.arrays.m[0];
  op::bfloat16* __restrict m1 = t.arrays.m[1];
  const op::NarrowArrays arrays{x, g, {m0, m1}};
  const auto run = [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i, ++bits) {
      op::step_narrow(arrays, i, scale, *bits, rule, penalty);
    }
  };
  stream<Rule>(t.n, t.ahead, x, g, m0, m1, run);
}

template <class C, class P>
void statistics_tile(const StatisticsTile<C>& t) {
  const P penalty(t.settings);
  const C* __restrict x = t.after;
  const C* __restrict w = t.weights;
  const C* __restrict before = t.before;
  Statistics& sums = *t.sums;
  int64_t nonzeros = 0, not_finite = 0;
  for (int64_t i = 0; i < t.n; ++i) nonzeros += x[i] != C(0);
  for (int64_t i = 0; i < t.n; ++i) not_finite += !(x[i] - x[i] == C(0));
  sums.nonzeros += nonzeros;
  sums.not_finite += not_finite;
  sums.penalty +=
      w ? lane_sum(t.n, [=](int64_t i) { return double(op::weighted_value(penalty, x[i], w[i])); })
        : lane_sum(t.n, [=](int64_t i) { return double(penalty.value(x[i])); });
  if (!before) return;
  sums.squared_change += lane_sum(t.n, [=](int64_t i) {
    const double change = double(x[i]) - double(before[i]);
    return change * change;
  });
}

template <class C, template <class> class P>
constexpr bool is_common = __is_same(P<C>, op::None<C>) || __is_same(P<C>, op::L1<C>) ||
                           __is_same(P<C>, op::ElasticNet<C>);
template <class C, class Rule, template <class> class P>
constexpr bool is_hot = (Rule::slots == 0 || Rule::extrapolates ||
                         __is_same(Rule, op::Momentum<C>) || __is_same(Rule, op::Adam<C>)) &&
                        is_common<C, P>;
template <class Rule, template <class> class P>
constexpr bool is_narrow_hot = __is_same(Rule, op::Adam<float>) && is_common<float, P>;

template <class C, class Rule, template <class> class P>
constexpr auto direct_or_null() -> void (*)(const DirectRun<C>&) {
  if constexpr (is_hot<C, Rule, P>) {
    return direct_run<C, Rule, P<C>>;
  } else {
    return nullptr;
  }
}

template <class C, template <class> class Rule, template <class> class... Ps>
constexpr void fill_direct(void (*(&row)[sizeof...(Ps)])(const DirectRun<C>&), op::List<Ps...>) {
  int k = 0;
  ((row[k++] = direct_or_null<C, Rule<C>, Ps>()), ...);
}

template <class Rule, template <class> class P>
constexpr auto narrow_or_null() -> void (*)(const NarrowRun&) {
  if constexpr (is_narrow_hot<Rule, P>) {
    return narrow_run<Rule, P<float>>;
  } else {
    return nullptr;
  }
}

template <class Rule, template <class> class... Ps>
constexpr void fill_narrow(void (*(&row)[sizeof...(Ps)])(const NarrowRun&), op::List<Ps...>) {
  int k = 0;
  ((row[k++] = narrow_or_null<Rule, Ps>()), ...);
}

template <template <class> class... Rs>
constexpr void fill_narrow_rows(StepTable* table, op::List<Rs...>) {
  int row = 0;
  (fill_narrow<Rs<float>>(table->direct_narrow[row++], op::Penalties{}), ...);
}

template <class C, template <class> class... Rs, template <class> class... Ps>
constexpr Kernels<C> make_kernels(op::List<Rs...>, op::List<Ps...> penalties) {
  Kernels<C> k{{rule_tile<C, Rs<C>>...},
               {point_tile<C, Rs<C>>...},
               extrapolate<C>,
               {prox_tile<C, Ps<C>>...},
               nm_tile<C>,
               nm_value<C>,
               {steps_tile<C, Rs<C>>...},
               score_tile<C>,
               keep_tile<C>,
               kept_value<C>,
               window_tile<C>,
               drop_tile<C>,
               level_scales<C>,
               quantize_tile<C>,
               levels_value<C>,
               gather_tile<C>,
               {segments_tile<C, Ps>...},
               {factor_tile<C, Ps>...},
               scale_group<C>,
               {scales_tile<C, Ps<C>>...},
               {statistics_tile<C, Ps<C>>...},
               {},
               {group_value<Ps>...},
               sum_of_squares<C>,
               group_norm<C>,
               add_columns<C>,
               {column_roots<C, Ps>...},
               keep_shares<C>,
               add_squares<C>,
               multiply<C>};
  int row = 0;
  (fill_direct<C, Rs>(k.direct[row++], penalties), ...);
  return k;
}

constexpr StepTable make_table() {
  StepTable table = {PROXSTEP_TEXT(PROXSTEP_ISA),
                     make_kernels<float>(op::Rules{}, op::Penalties{}),
                     make_kernels<double>(op::Rules{}, op::Penalties{}),
                     load<op::bfloat16>,
                     load<op::float16>,
                     pack<op::bfloat16>,
                     pack<op::float16>,
                     random_bits,
                     round_bfloat16,
                     round_float16,
                     {}};
  fill_narrow_rows(&table, op::Rules{});
  return table;
}

}  // namespace

extern const StepTable PROXSTEP_JOIN(table_step_, PROXSTEP_ISA);
constexpr StepTable kTable = make_table();
const StepTable PROXSTEP_JOIN(table_step_, PROXSTEP_ISA) = kTable;

}  // namespace proxstep::cpu
