// Fills tables of arrays and launches them, whatever the kernel that takes them. A kind of table
// says how many blocks a task needs, what its array and its settings are, and which kernel runs.
#pragma once
#include <optional>
#include <vector>

#include "settings.hpp"

namespace proxstep::cuda {

// What all launches of a call share.
struct StepRun {
  Launcher launch;
  const std::vector<Task>& tasks;
  const StepCall& call;
  const Clipping* clipping;        // or null
  StatisticsOnDevice* statistics;  // or null
};

template <class Kind>
class Filler {
  using Table = typename Kind::Table;
  using C = typename Table::C;
  using Settings = typename Table::Settings;
  using Sums = BlockSumsOfCall<typename Table::Sum>;

 public:
  Filler(const Kind& kind, const StepRun& run, Sums* sums)
      : kind_(kind), run_(run), sums_(sums), shared_(table_.settings, run.call.device_rates) {
    std::memset(static_cast<void*>(&table_), 0, sizeof table_);
    table_.grad_scale = static_cast<C>(run.call.grad_scale);
    if constexpr (sizeof(C) == 8) {
      table_.device_scale = run.clipping ? &run.clipping->scale : nullptr;
    } else {
      table_.device_scale = run.clipping ? &run.clipping->narrow_scale : nullptr;
    }
  }

  // A table goes out when it is full.
  void add(std::size_t task) {
    const Task& t = run_.tasks[task];
    const std::int64_t blocks = kind_.blocks(t);
    if (blocks == 0) return;
    if (table_.count == Table::capacity || blocks > kMostBlocks - blocks_) flush();
    int settings = place_of_settings(task);
    if (settings == kMostSettings) {
      flush();
      settings = place_of_settings(task);
    }
    kind_.set_array(t, settings, &table_.arrays[table_.count]);
    blocks_ += blocks;
    table_.first_block[++table_.count] = static_cast<int>(blocks_);
  }

  void flush() {
    if (table_.count == 0) return;
    if (sums_) table_.sums = sums_->next(blocks_);
    std::optional<Scratch> computed;
    if (run_.call.device_rates) {
      computed.emplace(run_.launch.backend, run_.launch.stream,
                       kMostSettings * sizeof(StepSettings<C>));
      table_.computed = compute_settings(computed->as<StepSettings<C>>());
    }
    run_.launch(kind_.kernel(), blocks_, table_);
    table_.count = 0;
    blocks_ = 0;
    shared_.clear();
  }

 private:
  int place_of_settings(std::size_t task) {
    Settings own;
    std::memset(static_cast<void*>(&own), 0, sizeof own);
    kind_.set_settings(run_.tasks[task], &own);
    return shared_.place(own, task);
  }

  const StepSettings<C>* compute_settings(StepSettings<C>* to) const {
    const DeviceRates& rates = *run_.call.device_rates;
    SettingsCall<C> call = {};
    call.count = shared_.count();
    call.steps = rates.steps;
    call.to = to;
    for (int k = 0; k < call.count; ++k) {
      const StepSettings<C>& settings = step_of(table_.settings[k]);
      call.rules[k] = device_rule(run_.tasks[shared_.task(k)]);
      call.rates[k] = rates.rates[shared_.task(k)];
      call.euclidean[k] = !settings.own_step;
      call.penalties[k] = settings.penalty;
      std::memcpy(call.numbers[k], rates.numbers[shared_.task(k)], sizeof call.numbers[k]);
    }
    run_.launch(kernel_name<C>("settings_kernel"), 1, call);
    return to;
  }

  Kind kind_;
  const StepRun& run_;
  Sums* sums_;
  Table table_;
  SharedSettings<Settings> shared_;
  std::int64_t blocks_ = 0;
};

// Steps the tasks at these places of the list.
template <class Kind>
void run_places(const Kind& kind, const StepRun& run, const std::vector<std::size_t>& places) {
  using Sums = BlockSumsOfCall<typename Kind::Table::Sum>;
  std::int64_t blocks = 0;
  for (std::size_t k : places) blocks += kind.blocks(run.tasks[k]);
  std::optional<Sums> sums;
  if (run.statistics) sums.emplace(run.launch, blocks);
  Filler<Kind> filler(kind, run, sums ? &*sums : nullptr);
  for (std::size_t k : places) filler.add(k);
  filler.flush();
  if (sums) run.statistics->add(*sums);
}

}  // namespace proxstep::cuda
