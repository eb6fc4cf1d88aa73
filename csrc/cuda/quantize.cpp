#include "quantize.hpp"

#include <algorithm>

#include "group.hpp"
#include "mixed.hpp"
#include "quantize_tables.hpp"

namespace proxstep::cuda {
namespace {

constexpr std::int64_t kEnoughGroups = 512;  // for a block each, however long they are

// Groups that are many pieces long and too few to fill the device are shared by blocks.
template <class S>
LevelGroups<op::compute_t<S>> make_level_groups(const Task& t) {
  const std::int64_t length = std::min(t.groups.length, t.n);
  const bool shares = length > 4 * kRuleChunk<S> && t.groups.count < kEnoughGroups;
  const std::int64_t most_pieces = shares ? kMostPieces : 1;
  LevelGroups<op::compute_t<S>> groups{};
  groups.length = length;
  groups.piece = length;
  if (shares) groups.piece = kRuleChunk<S> * parts_of(length, most_pieces * kRuleChunk<S>);
  groups.pieces = parts_of(length, groups.piece);
  groups.count = t.groups.count * groups.pieces;
  groups.lanes = shares ? kThreads : lanes_of_segment<S>(length);
  return groups;
}

// Where the blocks that share a group leave what they find.
class SizesOfPieces {
 public:
  template <class S>
  SizesOfPieces(S, const StepRun& run, const std::vector<std::size_t>& places)
      : tasks_(run.tasks.data()), first_(run.tasks.size(), -1) {
    std::int64_t pieces = 0;
    for (std::size_t k : places) {
      const auto groups = make_level_groups<S>(run.tasks[k]);
      if (run.tasks[k].levels.scales || groups.pieces == 1) continue;
      places_.push_back(k);
      first_[k] = pieces;
      pieces += groups.count;
    }
    if (!pieces) return;
    room_.emplace(run.launch.backend, run.launch.stream,
                  static_cast<std::size_t>(pieces) * sizeof(PieceSizes));
  }
  // Null where no group is shared or its scale is given.
  PieceSizes* of(const Task& t) const {
    const std::int64_t first = first_[static_cast<std::size_t>(&t - tasks_)];
    return first < 0 ? nullptr : room_->as<PieceSizes>() + first;
  }
  const std::vector<std::size_t>& places() const { return places_; }

 private:
  const Task* tasks_;
  std::vector<std::int64_t> first_;
  std::vector<std::size_t> places_;
  std::optional<Scratch> room_;
};

template <class C>
void set_levels(const Levels& levels, LevelSettings<C>* to) {
  to->integers = op::IntegerLevels<C>::of(levels.most, levels.per_scale);
  to->table = static_cast<const C*>(levels.table);
  to->count = levels.count;
  to->mean = levels.scale == Levels::Scale::mean;
  to->multiple = levels.multiple;
  to->rho = static_cast<C>(levels.rho);
  to->wide_rho = levels.rho;
}

template <class S, int capacity>
struct LevelTables {
  using C = op::compute_t<S>;
  using Table = LevelTable<C, capacity>;
  const char* name;
  const DeviceRates* rates;
  const SizesOfPieces& sizes;
  bool stays;

  std::int64_t blocks(const Task& t) const {
    const LevelGroups<C> groups = make_level_groups<S>(t);
    return parts_of(groups.count, kThreads / groups.lanes);
  }
  void set_settings(const Task& t, typename Table::Settings* to) const {
    set_rule(t, rates, to);
    set_levels(t.levels, to);
    to->stays = stays;
  }
  void set_array(const Task& t, int settings, typename Table::Array* to) const {
    set_rule_array(t, settings, to);
    to->groups = make_level_groups<S>(t);
    to->groups.scales = static_cast<const C*>(t.levels.scales);
    to->groups.shared = t.levels.shared;
    to->groups.sizes = sizes.of(t);
  }
  std::string kernel() const { return kernel_name<S>(name, capacity); }
};

template <class S, int capacity>
void run_tables(const StepRun& run, const std::vector<std::size_t>& places, bool stays) {
  const SizesOfPieces sizes(S{}, run, places);
  const DeviceRates* const rates = run.call.device_rates;
  if (!sizes.places().empty()) {
    const StepRun first{run.launch, run.tasks, run.call, run.clipping, nullptr};
    run_places(LevelTables<S, capacity>{"sizes_kernel", rates, sizes, stays}, first,
               sizes.places());
  }
  run_places(LevelTables<S, capacity>{"quantize_kernel", rates, sizes, stays}, run, places);
}

}  // namespace

void run_levels(const StepRun& run, const std::vector<std::size_t>& places) {
  with_layout(run.tasks[places.front()], [&](auto layout) {
    using S = decltype(layout);
    if constexpr (!LayoutOf<S>::is_mixed) {
      if (places.size() <= kFew) return run_tables<S, kFew>(run, places, false);
    }
    run_tables<S, kManyQuantized>(run, places, false);
  });
}

void add_level_values(const Launcher& launch, const Task& task, StatisticsOnDevice* statistics) {
  const std::vector<Task> tasks{task};
  const StepCall call;
  const StepRun run{launch, tasks, call, nullptr, statistics};
  with_storage(task.dtype,
               [&](auto storage) { run_tables<decltype(storage), kFew>(run, {0}, true); });
}

}  // namespace proxstep::cuda
