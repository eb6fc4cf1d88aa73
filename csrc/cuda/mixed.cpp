#include "mixed.hpp"

namespace proxstep::cuda {
namespace {

template <class S, int capacity>
struct MixedTables {
  using Table = MixedTable<op::compute_t<S>, capacity>;
  const DeviceRates* rates;

  std::int64_t blocks(const Task& t) const { return parts_of(t.n, kRuleChunk<S>); }
  void set_settings(const Task& t, typename Table::Settings* to) const { set_rule(t, rates, to); }
  void set_array(const Task& t, int settings, typename Table::Array* to) const {
    set_rule_array(t, settings, to);
  }
  std::string kernel() const { return kernel_name<S>("mixed_kernel", capacity); }
};

template <class S>
void run_layout(const StepRun& run, const std::vector<std::size_t>& places) {
  const DeviceRates* const rates = run.call.device_rates;
  if (places.size() <= kFew) return run_places(MixedTables<S, kFew>{rates}, run, places);
  run_places(MixedTables<S, kManyRuled>{rates}, run, places);
}

}  // namespace

void run_mixed(const StepRun& run, const std::vector<std::size_t>& places) {
  with_layout(run.tasks[places.front()], [&](auto layout) {
    using S = decltype(layout);
    if constexpr (LayoutOf<S>::is_mixed) run_layout<S>(run, places);
  });
}

}  // namespace proxstep::cuda
