// What the planners of launches share: where they go, and sums that the blocks of several launches
// leave behind.
#pragma once
#include <string>

#include "../task.hpp"
#include "launch.hpp"
#include "names.hpp"
#include "tables.hpp"

namespace proxstep::cuda {

struct Launcher {
  Backend& backend;
  Stream stream;

  template <class Argument>
  void operator()(const std::string& kernel, std::int64_t blocks, const Argument& argument) const {
    static_assert(sizeof argument <= kMostBytes, "fits a launch");
    backend.launch(stream, {kernel, blocks, &argument, sizeof argument});
  }
};

constexpr std::int64_t kMostBlocks = 0x7fffffff;  // of a launch

// How many parts of a size hold n.
inline std::int64_t parts_of(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }
template <class S>
std::int64_t chunks_of(std::int64_t n) {
  return parts_of(n, kChunk<S>);
}

// Where the blocks of several launches leave their sums.
template <class C>
class BlockSumsOfCall {
 public:
  BlockSumsOfCall(const Launcher& launch, std::int64_t blocks)
      : room_(launch.backend, launch.stream,
              static_cast<std::size_t>(blocks) * sizeof(BlockSums<C>)) {}
  BlockSums<C>* next(std::int64_t blocks) {
    BlockSums<C>* const here = all() + used_;
    used_ += blocks;
    return here;
  }
  BlockSums<C>* all() const { return room_.template as<BlockSums<C>>(); }
  std::int64_t used() const { return used_; }

 private:
  Scratch room_;
  std::int64_t used_ = 0;
};

// What they add up to.
class StatisticsOnDevice {
 public:
  explicit StatisticsOnDevice(const Launcher& launch)
      : launch_(launch), room_(launch.backend, launch.stream, sizeof(DeviceStatistics)) {}

  template <class C>
  void add(const BlockSumsOfCall<C>& sums) {
    const SumCall<C> call{sums.all(), static_cast<int>(sums.used()), fresh_,
                          room_.as<DeviceStatistics>()};
    launch_(kernel_name<C>("sum_kernel"), 1, call);
    fresh_ = false;
  }

  // Waits for the device.
  void read(Statistics* to) const {
    DeviceStatistics found = {};
    if (!fresh_) launch_.backend.read(launch_.stream, &found, room_.as<void>(), sizeof found);
    to->penalty += found.penalty;
    to->squared_change += found.squared_change;
    to->nonzeros += found.nonzeros;
    to->not_finite += found.not_finite;
  }

 private:
  Launcher launch_;
  Scratch room_;
  bool fresh_ = true;
};

template <class C>
AnyPenalty<C> make_penalty(int kind, const double* settings) {
  AnyPenalty<C> any{};
  any.kind = kind;
  op::with_member(op::Penalties{}, kind, [&](auto member) {
    put<typename decltype(member)::template of<C>>(any.held, settings);
  });
  return any;
}

}  // namespace proxstep::cuda
