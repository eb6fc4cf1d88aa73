#include "project.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "../storage.hpp"
#include "launcher.hpp"
#include "project_tables.hpp"
#include "select.hpp"

namespace proxstep::cuda {
namespace {

constexpr std::int64_t kMostOfWarp = 512;     // elements of a row
constexpr std::int64_t kMostOfBlock = 32768;  // the same, where rows are too few to fill a device
constexpr std::int64_t kManyRows = 128;
constexpr std::int64_t kBlocksAtOnce = 1024;
constexpr std::int64_t kLeastChunk = 16384;

std::string goal_name(const Projection& p) {
  return p.set == ProjectionSet::top_k ? "proxstep::cuda::TopK" : "proxstep::cuda::Ball";
}

ProjectCall call_for(const Projection& p) {
  ProjectCall call = {};
  call.z = p.z;
  call.out = p.out;
  call.rows = p.rows;
  call.n = p.n;
  call.l1 = p.set == ProjectionSet::l1_ball;
  call.radius = p.radius;
  call.k = p.k;
  return call;
}

// Rows that are one warp's or one block's: a single launch.
template <class S>
void project_short(const Launcher& launch, const Projection& p) {
  const int team = p.n <= kMostOfWarp ? kWarp : kThreads;
  const std::int64_t blocks = std::min(kMostBlocks, parts_of(p.rows, kThreads / team));
  const std::string goal = goal_name(p) + ", " + std::to_string(team);
  launch(rows_kernel_name<S>(goal), blocks, call_for(p));
}

// Long rows onto balls: many blocks, and what these leave for each other.
template <class S>
class LongRows {
 public:
  LongRows(const Launcher& launch, const Projection& p)
      : launch_(launch),
        call_(call_for(p)),
        chunk_(chunk(p)),
        blocks_(p.rows * parts_of(p.n, chunk_)),
        thresholds_(room(p.rows * sizeof(Threshold))),
        surveys_(room(blocks_ * sizeof(Survey))),
        bins_(room(blocks_ * kBins * sizeof(Bin))) {
    call_.chunk = chunk_;
    call_.blocks = static_cast<int>(blocks_ / p.rows);
    call_.thresholds = thresholds_.template as<Threshold>();
    call_.surveys = surveys_.template as<Survey>();
    call_.bins = bins_.template as<Bin>();
  }

  void project() const {
    run("survey_kernel", blocks_);
    run("begin_kernel", call_.rows);
    for (std::size_t bits = 0; bits < 8 * sizeof(S); bits += kDigit) {
      run("bins_kernel", blocks_);
      run("digit_kernel", call_.rows);
    }
    run("write_kernel", blocks_);
  }

 private:
  // A block's elements: whole passes of all threads, so that alignment is the row's.
  static std::int64_t chunk(const Projection& p) {
    const std::int64_t pass = kThreads * kPack<S>;
    return parts_of(std::max(kLeastChunk, parts_of(p.rows * p.n, kBlocksAtOnce)), pass) * pass;
  }
  Scratch room(std::size_t bytes) const { return {launch_.backend, launch_.stream, bytes}; }
  void run(const char* kernel, std::int64_t blocks) const {
    launch_(kernel_name<S>(kernel), blocks, call_);
  }

  Launcher launch_;
  ProjectCall call_;
  std::int64_t chunk_, blocks_;
  Scratch thresholds_, surveys_, bins_;
};

// What stays of long rows is what a step keeps of points that are given.
void select_in_rows(const Launcher& launch, const Projection& p) {
  std::vector<Task> tasks(static_cast<std::size_t>(p.rows));
  StepCall call;
  call.keep.assign(tasks.size(), p.k);
  for (std::int64_t row = 0; row < p.rows; ++row) {
    const std::int64_t offset = row * p.n * itemsize(p.dtype);
    Task& t = tasks[static_cast<std::size_t>(row)];
    t.dtype = p.dtype;
    t.n = p.n;
    t.source = static_cast<const char*>(p.z) + offset;
    t.x = static_cast<char*>(p.out) + offset;
    t.selection = static_cast<int>(row);
  }
  run_selections({launch, tasks, call, nullptr, nullptr});
}

}  // namespace

void project(Backend& backend, Stream stream, const Projection& p) {
  if (p.n == 0 || p.rows == 0) return;
  const Launcher launch{backend, stream};
  const bool is_short = p.n <= kMostOfBlock || p.rows >= kManyRows;
  with_storage(p.dtype, [&](auto storage) {
    using S = decltype(storage);
    if (is_short) return project_short<S>(launch, p);
    if (p.set == ProjectionSet::top_k) return select_in_rows(launch, p);
    LongRows<S>(launch, p).project();
  });
}

}  // namespace proxstep::cuda
