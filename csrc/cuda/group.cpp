#include "group.hpp"

#include <algorithm>

#include "group_tables.hpp"
#include "mixed.hpp"

namespace proxstep::cuda {
namespace {

// A warp takes as many columns as 32 bytes hold: what memory moves at once. Few long ones would
// leave most of the device idle; they get a block each.
template <class S>
int lanes_of_column(const GroupPenalty& groups) {
  constexpr int lanes = sizeof(x_t<S>);
  const bool long_ones = groups.length > 64 * lanes * kRulePack<S>;
  return long_ones && groups.count <= 1024 ? kThreads : lanes;
}

template <class S>
Groups<op::compute_t<S>> make_groups(const Task& t) {
  using C = op::compute_t<S>;
  static_assert(sizeof(long long) == sizeof(std::int64_t), "offsets are read as they lie");
  const GroupPenalty& g = t.groups;
  const std::int64_t mean = std::max<std::int64_t>(1, t.n / std::max<std::int64_t>(1, g.count));
  Groups<C> groups{};
  groups.weights = static_cast<const C*>(g.weights);
  groups.offsets = reinterpret_cast<const long long*>(g.offsets);
  groups.count = g.count;
  groups.length = g.length;
  groups.columns = g.over == Over::columns;
  groups.lanes = groups.columns ? lanes_of_column<S>(g) : lanes_of_segment<S>(mean);
  return groups;
}

template <class C>
std::int64_t blocks_of(const Groups<C>& groups) {
  const std::int64_t at_once = kThreads / groups.lanes;
  return parts_of(groups.count, at_once);
}

template <class C>
void set_group_settings(const Task& t, const DeviceRates* rates, GroupSettings<C>* to) {
  set_rule(t, rates, to);
  set_penalty(t.groups.kind, t.groups.settings, &to->norm);
  set_penalty(t.groups.kind, t.groups.settings, &to->wide_norm);
  op::with_member(op::Penalties{}, t.groups.kind,
                  [&](auto member) { to->convex = decltype(member)::template of<double>::convex; });
}

template <class S, int capacity>
struct GroupTables {
  using Table = GroupTable<op::compute_t<S>, capacity>;
  const DeviceRates* rates;

  std::int64_t blocks(const Task& t) const { return t.n ? blocks_of(make_groups<S>(t)) : 0; }
  void set_settings(const Task& t, typename Table::Settings* to) const {
    set_group_settings(t, rates, to);
  }
  void set_array(const Task& t, int settings, typename Table::Array* to) const {
    set_rule_array(t, settings, to);
    to->groups = make_groups<S>(t);
  }
  std::string kernel() const { return kernel_name<S>("group_kernel", capacity); }
};

}  // namespace

void run_groups(const StepRun& run, const std::vector<std::size_t>& places) {
  const DeviceRates* const rates = run.call.device_rates;
  with_layout(run.tasks[places.front()], [&](auto layout) {
    using S = decltype(layout);
    if constexpr (!LayoutOf<S>::is_mixed) {
      if (places.size() <= kFew) return run_places(GroupTables<S, kFew>{rates}, run, places);
    }
    run_places(GroupTables<S, kManyGrouped>{rates}, run, places);
  });
}

void add_group_values(const Launcher& launch, const Task& task, StatisticsOnDevice* statistics) {
  with_storage(task.dtype, [&](auto storage) {
    using S = decltype(storage);
    using C = op::compute_t<S>;
    const Groups<C> groups = make_groups<S>(task);
    BlockSumsOfCall<double> sums(launch, blocks_of(groups));
    const GroupValueCall<C> call{task.source,
                                 static_cast<const C*>(task.element.weights),
                                 groups,
                                 make_penalty<C>(task.element.kind, task.element.settings),
                                 make_penalty<double>(task.groups.kind, task.groups.settings),
                                 sums.next(blocks_of(groups))};
    launch(kernel_name<S>("group_value_kernel"), blocks_of(groups), call);
    statistics->add(sums);
  });
}

}  // namespace proxstep::cuda
