#include "select.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <type_traits>
#include <utility>

#include "mixed.hpp"
#include "select_tables.hpp"

namespace proxstep::cuda {
namespace {

template <class C>
constexpr DType kCompute = std::is_same_v<C, double> ? DType::float64 : DType::float32;
constexpr std::int64_t kBlocksAtOnce = 1024;
constexpr std::int64_t kLeastChunk = 8192;  // fewer elements than bins would be mostly bins

// The tasks whose scores are of one type, and the blocks of each, in the order of ties.
struct Members {
  std::vector<std::vector<std::size_t>> places;  // of each selection
  std::vector<std::vector<std::size_t>> alike;   // the same, by their layouts
  std::vector<std::int64_t> first_block;         // of each task
  std::vector<std::int64_t> elements;            // of each selection
  std::int64_t chunk = kLeastChunk, blocks = 0;
};

void add_alike(const std::vector<Task>& tasks, std::size_t k, Members* all) {
  for (auto& places : all->alike) {
    if (share_layout(tasks[places.front()], tasks[k])) return places.push_back(k);
  }
  all->alike.push_back({k});
}

Members members_of(const StepRun& run, DType compute) {
  Members all;
  const std::size_t selections = run.call.keep.size();
  all.places.resize(selections);
  all.elements.resize(selections, 0);
  all.first_block.resize(run.tasks.size(), 0);
  std::int64_t elements = 0;
  for (std::size_t k = 0; k < run.tasks.size(); ++k) {
    const Task& t = run.tasks[k];
    if (t.selection == kNoSelection || t.n == 0 || compute_type(t.dtype) != compute) continue;
    all.places[static_cast<std::size_t>(t.selection)].push_back(k);
    all.elements[static_cast<std::size_t>(t.selection)] += t.n;
    elements += t.n;
  }
  // Whole passes of all threads, so that alignment is the array's.
  all.chunk *= std::max<std::int64_t>(1, parts_of(elements, kBlocksAtOnce * kLeastChunk));
  for (const auto& own : all.places) {
    for (std::size_t k : own) {
      add_alike(run.tasks, k, &all);
      all.first_block[k] = all.blocks;
      all.blocks += parts_of(run.tasks[k].n, all.chunk);
    }
  }
  return all;
}

// One pass over the tasks of a layout.
template <class S, int capacity>
struct SelectTables {
  using C = op::compute_t<S>;
  using Table = SelectTable<C, capacity>;
  const StepRun& run;
  const Members& members;
  Ranking ranking;
  int pass;
  const char* name;

  std::int64_t blocks(const Task& t) const { return parts_of(t.n, ranking.chunk); }
  void set_settings(const Task& t, typename Table::Settings* to) const {
    set_rule(t, run.call.device_rates, to);
    to->ranking = ranking;
    to->pass = pass;
    const DeviceRates* const rates = run.call.device_rates;
    to->rate = rates ? rates->rates[place_of(t)] : nullptr;
    to->in_place = can_step_in_place(t);
  }
  void set_array(const Task& t, int settings, typename Table::Array* to) const {
    set_rule_array(t, settings, to);
    to->selection = t.selection;
    to->first_block = static_cast<int>(members.first_block[place_of(t)]);
  }
  std::string kernel() const { return kernel_name<S>(name, capacity); }

 private:
  std::size_t place_of(const Task& t) const {
    return static_cast<std::size_t>(&t - run.tasks.data());
  }
  // Whether what is stored beside the points tells all that is to be known of them.
  bool can_step_in_place(const Task& t) const {
    const bool told = std::is_same_v<S, C> && t.rule != kNoRule && !t.extrapolates;
    return told && !run.call.statistics;
  }
};

// All selections of a compute type.
template <class C>
class Selections {
 public:
  Selections(const StepRun& run, const Members& members)
      : run_(run),
        counting_{run.launch, run.tasks, run.call, run.clipping, nullptr},
        members_(members),
        count_(members.places.size()),
        cuts_(room(count_ * sizeof(Cut))),
        bins_(room(count_ * kWideBins * sizeof(unsigned long long))),
        last_bins_(
            room(static_cast<std::size_t>(members.blocks) * kLastBins<C> * sizeof(unsigned))) {}

  void run() const {
    start();
    if (run_.call.device_rates) tell_moves();
    for (int pass = 0; pass < kPasses<C>; ++pass) {
      over_arrays("rank_kernel", pass, counting_);
      const CutCall call{cuts(), bins(), pass};
      run_.launch(kernel_name<C>("cut_kernel"), static_cast<std::int64_t>(count_), call);
    }
    over_arrays("keep_kernel", kPasses<C>, run_);
  }

 private:
  Scratch room(std::size_t bytes) const { return {run_.launch.backend, run_.launch.stream, bytes}; }
  Cut* cuts() const { return cuts_.as<Cut>(); }
  unsigned long long* bins() const { return bins_.as<unsigned long long>(); }

  void start() const {
    for (std::size_t first = 0; first < count_; first += kSelectionsAtOnce) {
      const std::size_t count = std::min<std::size_t>(kSelectionsAtOnce, count_ - first);
      StartCall call = {};
      call.cuts = cuts() + first;
      call.bins = bins() + first * kWideBins;
      call.moves = !run_.call.device_rates;
      for (std::size_t k = 0; k < count; ++k) set_selection(first + k, static_cast<int>(k), &call);
      run_.launch(kernel_name<C>("start_kernel"), static_cast<std::int64_t>(count), call);
    }
  }
  void set_selection(std::size_t selection, int k, StartCall* call) const {
    const auto& own = members_.places[selection];
    call->keep[k] = run_.call.keep[selection];
    call->elements[k] = members_.elements[selection];
    if (!own.empty()) call->first_block[k] = static_cast<int>(members_.first_block[own.front()]);
  }

  // The elements of each selection that have a rate.
  std::map<std::pair<int, const double*>, std::int64_t> rates() const {
    std::map<std::pair<int, const double*>, std::int64_t> elements;
    for (std::size_t k = 0; k < run_.tasks.size(); ++k) {
      const Task& t = run_.tasks[k];
      if (t.selection == kNoSelection || compute_type(t.dtype) != kCompute<C>) continue;
      elements[{t.selection, run_.call.device_rates->rates[k]}] += t.n;
    }
    return elements;
  }
  void tell_moves() const {
    MovesCall call = {};
    call.cuts = cuts();
    const auto flush = [&] {
      if (call.count) run_.launch(kernel_name<C>("moves_kernel"), 1, call);
      call.count = 0;
    };
    for (const auto& [place, elements] : rates()) {
      if (call.count == kRatesAtOnce) flush();
      const int k = call.count++;
      const auto selection = static_cast<std::size_t>(place.first);
      call.selections[k] = place.first;
      call.rates[k] = place.second;
      call.elements[k] = elements;
      call.keep[k] = run_.call.keep[selection];
      call.densities[k] = run_.call.device_rates->densities[selection];
    }
    flush();
  }

  void over_arrays(const char* kernel, int pass, const StepRun& run) const {
    for (const std::vector<std::size_t>& places : members_.alike) {
      with_layout(run.tasks[places.front()], [&](auto layout) {
        using S = decltype(layout);
        if constexpr (std::is_same_v<op::compute_t<S>, C>) launch<S>(kernel, pass, run, places);
      });
    }
  }
  template <class S>
  void launch(const char* kernel, int pass, const StepRun& run,
              const std::vector<std::size_t>& places) const {
    const Ranking ranking{cuts(), bins(), last_bins_.as<unsigned>(), members_.chunk};
    if constexpr (!LayoutOf<S>::is_mixed) {
      if (places.size() <= kFew) {
        const SelectTables<S, kFew> few{run_, members_, ranking, pass, kernel};
        return run_places(few, run, places);
      }
    }
    run_places(SelectTables<S, kManyRanked>{run_, members_, ranking, pass, kernel}, run, places);
  }

  const StepRun& run_;
  StepRun counting_;  // without statistics
  const Members& members_;
  std::size_t count_;
  Scratch cuts_, bins_, last_bins_;
};

template <class C>
void run_of(const StepRun& run) {
  const Members members = members_of(run, kCompute<C>);
  if (members.blocks > 0) Selections<C>(run, members).run();
}

}  // namespace

void run_selections(const StepRun& run) {
  run_of<double>(run);
  run_of<float>(run);
}

}  // namespace proxstep::cuda
