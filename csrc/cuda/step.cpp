#include "step.hpp"

#include <algorithm>
#include <optional>

#include "../storage.hpp"
#include "group.hpp"
#include "mixed.hpp"
#include "nm.hpp"
#include "quantize.hpp"
#include "select.hpp"

namespace proxstep::cuda {
namespace {

// Of one storage type and rule.
template <class S, int capacity>
struct StepTables {
  using Table = StepTable<op::compute_t<S>, capacity>;
  int rule;

  std::int64_t blocks(const Task& t) const { return chunks_of<S>(t.n); }
  void set_settings(const Task& t, typename Table::Settings* to) const { set_step(t, to); }
  void set_array(const Task& t, int settings, typename Table::Array* to) const {
    cuda::set_array(t, settings, to);
  }
  std::string kernel() const { return step_kernel_name<S>(rule, capacity); }
};

enum class Kernels { of_rule, of_layout, groups, nm, levels };
// With rho = 1 nothing is drawn to levels: what is not counted is the rule alone.
Kernels kernels_of(const Task& t, bool counts) {
  if (t.levels.given() && (counts || t.levels.rho != 1.0)) return Kernels::levels;
  if (t.nm.given()) return Kernels::nm;
  if (has_groups(t) && !t.levels.given()) return Kernels::groups;
  return is_mixed(t) ? Kernels::of_layout : Kernels::of_rule;
}

bool share_kernel(const Task& a, const Task& b, bool counts) {
  const Kernels kernels = kernels_of(a, counts);
  return kernels == kernels_of(b, counts) && share_layout(a, b) &&
         (kernels != Kernels::of_rule || device_rule(a) == device_rule(b));
}

// The tasks that one kernel serves, by their places in the list.
using Family = std::vector<std::size_t>;
std::vector<Family> families(const std::vector<Task>& tasks, bool counts) {
  std::vector<Family> all;
  for (std::size_t k = 0; k < tasks.size(); ++k) {
    if (tasks[k].n == 0 || tasks[k].selection != kNoSelection) continue;
    auto same = std::find_if(all.begin(), all.end(), [&](const Family& family) {
      return share_kernel(tasks[family.front()], tasks[k], counts);
    });
    if (same == all.end()) same = all.insert(all.end(), Family());
    same->push_back(k);
  }
  return all;
}

void run_rule(const StepRun& run, const Family& family) {
  const Task& first = run.tasks[family.front()];
  const int rule = device_rule(first);
  with_storage(first.dtype, [&](auto storage) {
    using S = decltype(storage);
    if (family.size() <= kFew) return run_places(StepTables<S, kFew>{rule}, run, family);
    run_places(StepTables<S, kMany>{rule}, run, family);
  });
}

void run_family(const StepRun& run, const Family& family) {
  const Kernels kernels = kernels_of(run.tasks[family.front()], run.statistics != nullptr);
  if (kernels == Kernels::groups) return run_groups(run, family);
  if (kernels == Kernels::nm) return run_nm(run, family);
  if (kernels == Kernels::levels) return run_levels(run, family);
  if (kernels == Kernels::of_layout) return run_mixed(run, family);
  run_rule(run, family);
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
    if (t.directed) continue;
    Array g;
    g.data = const_cast<void*>(t.g);
    g.dtype = t.g_dtype;
    g.ndim = 1;
    g.shape[0] = t.n;
    all.push_back(g);
  }
  return all;
}

void add_element_values(const Launcher& launch, const Task& task, StatisticsOnDevice* statistics) {
  with_storage(task.dtype, [&](auto storage) {
    using S = decltype(storage);
    using C = op::compute_t<S>;
    const std::int64_t blocks = chunks_of<S>(task.n);
    BlockSumsOfCall<C> sums(launch, blocks);
    const ValueCall<C> call{task.source, static_cast<const C*>(task.element.weights), task.n,
                            make_penalty<C>(task.element.kind, task.element.settings),
                            sums.next(blocks)};
    launch(kernel_name<S>("value_kernel"), blocks, call);
    statistics->add(sums);
  });
}

}  // namespace

void run(Backend& backend, Stream stream, const std::vector<Task>& tasks, const StepCall& call) {
  const Launcher launch{backend, stream};
  std::optional<Norm> norm;
  std::optional<StatisticsOnDevice> statistics;
  if (call.max_norm > 0.0) norm.emplace(launch, gradients(tasks), call.grad_scale, call.max_norm);
  if (call.statistics) statistics.emplace(launch);
  const StepRun shared{launch, tasks, call, norm ? norm->clipping() : nullptr,
                       statistics ? &*statistics : nullptr};
  for (const Family& family : families(tasks, call.statistics != nullptr)) {
    run_family(shared, family);
  }
  if (!call.keep.empty()) run_selections(shared);
  if (call.device_rates) {
    launch(kernel_name<void>("advance_kernel"), 1, AdvanceCall{call.device_rates->steps});
  }
  if (call.norm && norm) *call.norm = norm->read();
  if (call.statistics) statistics->read(call.statistics);
}

double penalty_value(Backend& backend, Stream stream, const Task& task) {
  if (task.n == 0) return 0.0;
  const Launcher launch{backend, stream};
  StatisticsOnDevice statistics(launch);
  const Kernels kernels = kernels_of(task, true);
  if (kernels == Kernels::groups) {
    add_group_values(launch, task, &statistics);
  } else if (kernels == Kernels::nm) {
    add_nm_values(launch, task, &statistics);
  } else if (kernels == Kernels::levels) {
    add_level_values(launch, task, &statistics);
  } else {
    add_element_values(launch, task, &statistics);
  }
  Statistics found;
  statistics.read(&found);
  return found.penalty;
}

double global_norm(Backend& backend, Stream stream, const std::vector<Array>& arrays) {
  return Norm({backend, stream}, arrays, 1.0, 0.0).read();
}

}  // namespace proxstep::cuda
