#include "step.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "../storage.hpp"
#include "launcher.hpp"

namespace proxstep::cuda {
namespace {

int device_rule(const Task& t) {
  return t.rule != kNoRule ? t.rule : t.steps ? kGivenEach : kGiven;
}

template <class C>
StepSettings<C> make_settings(const Task& t) {
  StepSettings<C> settings;
  std::memset(static_cast<void*>(&settings), 0, sizeof settings);  // compared byte by byte
  const double* const numbers = t.rule == kNoRule ? &t.step : t.constants;
  op::with_member(Rules{}, device_rule(t), [&](auto member) {
    put<typename decltype(member)::template of<C>>(settings.rule.held, numbers);
  });
  settings.penalty.kind = t.element.kind;
  const AnyPenalty<C> penalty = make_penalty<C>(t.element.kind, t.element.settings);
  std::memcpy(settings.penalty.held, penalty.held, sizeof penalty.held);
  settings.step = static_cast<C>(t.step);
  settings.own_step = !t.euclidean;
  return settings;
}

// Tables of one storage type and rule. A table goes out when it is full.
template <class S, int capacity>
class StepTables {
  using C = op::compute_t<S>;

 public:
  StepTables(const Launcher& launch, int rule, const StepCall& call, const Clipping* clipping,
             BlockSumsOfCall<C>* sums)
      : launch_(launch), rule_(rule), rates_(call.device_rates), sums_(sums) {
    std::memset(static_cast<void*>(&table_), 0, sizeof table_);
    table_.grad_scale = static_cast<C>(call.grad_scale);
    if constexpr (sizeof(C) == 8) {
      table_.device_scale = clipping ? &clipping->scale : nullptr;
    } else {
      table_.device_scale = clipping ? &clipping->narrow_scale : nullptr;
    }
  }

  void add(const Task& t, std::size_t index) {
    const std::int64_t blocks = chunks_of<S>(t.n);
    if (blocks == 0) return;
    if (table_.count == capacity || blocks > kMostBlocks - blocks_) flush();
    int settings = place_of_settings(t, index);
    if (settings == kMostSettings) {
      flush();
      settings = place_of_settings(t, index);
    }
    StepArray<C>& to = table_.arrays[table_.count];
    to.x = t.x;
    to.g = t.rule == kNoRule ? t.source : t.g;
    for (int k = 0; k < op::kMaxSlots; ++k) to.m[k] = static_cast<C*>(t.m[k]);
    if (t.steps) to.m[0] = const_cast<C*>(static_cast<const C*>(t.steps));
    to.weights = static_cast<const C*>(t.element.weights);
    to.n = t.n;
    to.settings = settings;
    blocks_ += blocks;
    table_.first_block[++table_.count] = static_cast<int>(blocks_);
  }

  void flush() {
    if (table_.count == 0) return;
    if (sums_) table_.sums = sums_->next(blocks_);
    std::optional<Scratch> computed;
    if (rates_) {
      computed.emplace(launch_.backend, launch_.stream, sizeof table_.settings);
      table_.computed = compute_settings(computed->as<StepSettings<C>>());
    }
    launch_(step_kernel_name<S>(rule_, capacity), blocks_, table_);
    table_.count = 0;
    blocks_ = settings_ = 0;
  }

 private:
  static constexpr std::int64_t kMostBlocks = 0x7fffffff;

  // Where the table holds what t shares with others; kMostSettings where it is full of them.
  int place_of_settings(const Task& t, std::size_t index) {
    const StepSettings<C> own = make_settings<C>(t);
    for (int k = 0; k < settings_; ++k) {
      if (std::memcmp(&own, table_.settings + k, sizeof own) == 0 && shares_rate(k, index))
        return k;
    }
    if (settings_ == kMostSettings) return kMostSettings;
    std::memcpy(static_cast<void*>(table_.settings + settings_), &own, sizeof own);
    task_of_settings_[settings_] = index;
    return static_cast<int>(settings_++);
  }
  bool shares_rate(int k, std::size_t index) const {
    return !rates_ || (rates_->rates[task_of_settings_[k]] == rates_->rates[index] &&
                       rates_->numbers[task_of_settings_[k]] == rates_->numbers[index]);
  }

  const StepSettings<C>* compute_settings(StepSettings<C>* to) const {
    SettingsCall<C> call = {};
    call.rule = rule_;
    call.count = static_cast<int>(settings_);
    call.steps = rates_->steps;
    call.to = to;
    for (int k = 0; k < call.count; ++k) {
      call.rates[k] = rates_->rates[task_of_settings_[k]];
      call.euclidean[k] = !table_.settings[k].own_step;
      call.penalties[k] = table_.settings[k].penalty;
      std::memcpy(call.numbers[k], rates_->numbers[task_of_settings_[k]], sizeof call.numbers[k]);
    }
    launch_(kernel_name<C>("settings_kernel"), 1, call);
    return to;
  }

  Launcher launch_;
  int rule_;
  const DeviceRates* rates_;
  BlockSumsOfCall<C>* sums_;
  StepTable<C, capacity> table_;
  std::int64_t blocks_ = 0, settings_ = 0;
  std::size_t task_of_settings_[kMostSettings] = {};
};

template <class S, int capacity>
void run_places(StepTables<S, capacity> tables, const std::vector<Task>& tasks,
                const std::vector<std::size_t>& places) {
  for (std::size_t k : places) tables.add(tasks[k], k);
  tables.flush();
}

// The tasks that one kernel serves, by their places in the list.
struct Family {
  DType dtype;
  int rule;
  std::vector<std::size_t> places;
};
std::vector<Family> families(const std::vector<Task>& tasks) {
  std::vector<Family> all;
  for (std::size_t k = 0; k < tasks.size(); ++k) {
    const Task& t = tasks[k];
    if (t.n == 0 || t.groups.over != Over::nothing) continue;
    const int rule = device_rule(t);
    auto same = std::find_if(all.begin(), all.end(), [&](const Family& family) {
      return family.dtype == t.dtype && family.rule == rule;
    });
    if (same == all.end()) same = all.insert(all.end(), {t.dtype, rule, {}});
    same->places.push_back(k);
  }
  return all;
}

template <class S>
std::int64_t blocks_of(const std::vector<Task>& tasks, const Family& family) {
  std::int64_t blocks = 0;
  for (std::size_t k : family.places) blocks += chunks_of<S>(tasks[k].n);
  return blocks;
}

template <class S>
void run_family(const Launcher& launch, const std::vector<Task>& tasks, const Family& family,
                const StepCall& call, const Clipping* clipping, StatisticsOnDevice* statistics) {
  using C = op::compute_t<S>;
  std::optional<BlockSumsOfCall<C>> sums;
  if (statistics) sums.emplace(launch, blocks_of<S>(tasks, family));
  BlockSumsOfCall<C>* const of_blocks = sums ? &*sums : nullptr;
  if (family.places.size() <= kFew) {
    run_places<S>(StepTables<S, kFew>(launch, family.rule, call, clipping, of_blocks), tasks,
                  family.places);
  } else {
    run_places<S>(StepTables<S, kMany>(launch, family.rule, call, clipping, of_blocks), tasks,
                  family.places);
  }
  if (statistics) statistics->add(*sums);
}

// Sums of squares of many arrays, one a block, and what becomes of them.
class Norm {
 public:
  Norm(const Launcher& launch, const std::vector<Array>& arrays, double grad_scale, double max_norm)
      : launch_(launch),
        sums_(launch.backend, launch.stream, static_cast<std::size_t>(all_blocks(arrays)) * 8),
        clipping_(launch.backend, launch.stream, sizeof(Clipping)) {
    for (DType dtype : {DType::float64, DType::float32, DType::bfloat16, DType::float16}) {
      with_storage(dtype, [&](auto storage) { add<decltype(storage)>(arrays, dtype); });
    }
    const ClipCall call{sums_.as<double>(), static_cast<int>(used_), grad_scale, max_norm,
                        clipping_.as<Clipping>()};
    launch_(kernel_name<void>("clip_kernel"), 1, call);
  }

  const Clipping* clipping() const { return clipping_.as<Clipping>(); }
  double read() const {
    Clipping found;
    launch_.backend.read(launch_.stream, &found, clipping(), sizeof found);
    return found.norm;
  }

 private:
  static std::int64_t all_blocks(const std::vector<Array>& arrays) {
    std::int64_t blocks = 0;
    for (const Array& a : arrays) {
      with_storage(a.dtype,
                   [&](auto storage) { blocks += chunks_of<decltype(storage)>(a.size()); });
    }
    return blocks;
  }

  template <class S>
  void add(const std::vector<Array>& arrays, DType dtype) {
    NormTable table;
    table.count = table.first_block[0] = 0;
    const auto flush = [&] {
      const int blocks = table.first_block[table.count];
      table.sums = sums_.as<double>() + used_;
      if (blocks) launch_(kernel_name<S>("norm_kernel"), blocks, table);
      used_ += blocks;
      table.count = 0;
    };
    for (const Array& a : arrays) {
      if (a.dtype != dtype || a.size() == 0) continue;
      if (table.count == kNormArrays) flush();
      table.x[table.count] = a.data;
      table.n[table.count] = a.size();
      const int before = table.first_block[table.count];
      table.first_block[++table.count] = before + static_cast<int>(chunks_of<S>(a.size()));
    }
    flush();
  }

  Launcher launch_;
  Scratch sums_, clipping_;
  std::int64_t used_ = 0;
};

std::vector<Array> gradients(const std::vector<Task>& tasks) {
  std::vector<Array> all;
  for (const Task& t : tasks) {
    Array g;
    g.data = const_cast<void*>(t.g);
    g.dtype = t.dtype;
    g.ndim = 1;
    g.shape[0] = t.n;
    all.push_back(g);
  }
  return all;
}

}  // namespace

void run(Backend& backend, Stream stream, const std::vector<Task>& tasks, const StepCall& call) {
  const Launcher launch{backend, stream};
  std::optional<Norm> norm;
  std::optional<StatisticsOnDevice> statistics;
  if (call.max_norm > 0.0) norm.emplace(launch, gradients(tasks), call.grad_scale, call.max_norm);
  if (call.statistics) statistics.emplace(launch);
  for (const Family& family : families(tasks)) {
    with_storage(family.dtype, [&](auto storage) {
      run_family<decltype(storage)>(launch, tasks, family, call, norm ? norm->clipping() : nullptr,
                                    statistics ? &*statistics : nullptr);
    });
  }
  if (call.device_rates) {
    launch(kernel_name<void>("advance_kernel"), 1, AdvanceCall{call.device_rates->steps});
  }
  if (call.norm && norm) *call.norm = norm->read();
  if (call.statistics) statistics->read(call.statistics);
}

double penalty_value(Backend& backend, Stream stream, const Task& task) {
  const Launcher launch{backend, stream};
  Statistics found;
  if (task.n == 0) return 0.0;
  with_storage(task.dtype, [&](auto storage) {
    using S = decltype(storage);
    using C = op::compute_t<S>;
    const std::int64_t blocks = chunks_of<S>(task.n);
    StatisticsOnDevice statistics(launch);
    BlockSumsOfCall<C> sums(launch, blocks);
    const ValueCall<C> call{task.source, static_cast<const C*>(task.element.weights), task.n,
                            make_penalty<C>(task.element.kind, task.element.settings),
                            sums.next(blocks)};
    launch(kernel_name<S>("value_kernel"), blocks, call);
    statistics.add(sums);
    statistics.read(&found);
  });
  return found.penalty;
}

double global_norm(Backend& backend, Stream stream, const std::vector<Array>& arrays) {
  return Norm({backend, stream}, arrays, 1.0, 0.0).read();
}

}  // namespace proxstep::cuda
