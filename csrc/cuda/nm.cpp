#include "nm.hpp"

#include "mixed.hpp"
#include "nm_tables.hpp"

namespace proxstep::cuda {
namespace {

template <class S>
std::int64_t blocks_of(const Task& t) {
  return parts_of(t.n, kRuleChunk<S>);
}

template <class S, int capacity>
struct NMTables {
  using Table = NMTable<op::compute_t<S>, capacity>;
  const DeviceRates* rates;

  std::int64_t blocks(const Task& t) const { return blocks_of<S>(t); }
  void set_settings(const Task& t, typename Table::Settings* to) const {
    set_rule(t, rates, to);
    to->nm = {t.nm.n, t.nm.m};
  }
  void set_array(const Task& t, int settings, typename Table::Array* to) const {
    set_rule_array(t, settings, to);
  }
  std::string kernel() const { return kernel_name<S>("nm_kernel", capacity); }
};

}  // namespace

void run_nm(const StepRun& run, const std::vector<std::size_t>& places) {
  const DeviceRates* const rates = run.call.device_rates;
  with_layout(run.tasks[places.front()], [&](auto layout) {
    using S = decltype(layout);
    if constexpr (!LayoutOf<S>::is_mixed) {
      if (places.size() <= kFew) return run_places(NMTables<S, kFew>{rates}, run, places);
    }
    run_places(NMTables<S, kManyRuled>{rates}, run, places);
  });
}

void add_nm_values(const Launcher& launch, const Task& task, StatisticsOnDevice* statistics) {
  with_storage(task.dtype, [&](auto storage) {
    using S = decltype(storage);
    using C = op::compute_t<S>;
    const std::int64_t blocks = blocks_of<S>(task);
    BlockSumsOfCall<C> sums(launch, blocks);
    const NMValueCall<C> call{task.source, task.n, {task.nm.n, task.nm.m}, sums.next(blocks)};
    launch(kernel_name<S>("nm_value_kernel"), blocks, call);
    statistics->add(sums);
  });
}

}  // namespace proxstep::cuda
