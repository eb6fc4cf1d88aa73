// Runs __global__ kernels on the host: blocks one after another, each thread of a block a fiber.
// Between two barriers the fibers run one by one in an order that changes, so that what lacks a
// barrier goes wrong; the thread sanitizer sees every fiber as a thread and names the race.
// Include it before the kernels.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "fiber.hpp"

#define __global__
#define __device__
#define __grid_constant__ &  // after the type: the argument is not copied for every thread
#define __launch_bounds__(...)
#define __noinline__
#define __forceinline__ inline
#define __shared__ static  // blocks run one after another, so one copy is right

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
template <class Word>
void __stcg(Word* to, Word value) {
  *to = value;
}
template <class T>
T atomicAdd(T* to, T value) {
  return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicOr(T* to, T value) {
  return __atomic_fetch_or(to, value, __ATOMIC_RELAXED);
}
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

constexpr unsigned kWarp = 32;
constexpr unsigned kNoWarp = ~0u;

// Who waits together: a block, or some lanes of a warp.
struct Barrier {
  unsigned arrived = 0, generation = 0;
};

// Some lanes of a warp, and what they exchange. Two places take turns: who is first at the next
// shuffle does not overwrite this one, and the one after waits for all.
struct Lanes {
  Barrier barrier;
  std::uint64_t values[2][kWarp] = {};
};

struct Thread {
  Thread(unsigned place, void (*body)()) : index(place), fiber(body) {}
  unsigned index;
  Fiber fiber;
  bool finished = false;
  Barrier* waits_for = nullptr;
  unsigned generation = 0;  // of the barrier when it arrived
  bool can_run() const { return !finished && (!waits_for || waits_for->generation != generation); }
};

class Block {
 public:
  static Block& current() {
    static Block* const block = new Block;  // never freed: fibers own what lies on their stacks
    return *block;
  }

  void run(unsigned count, const std::function<void()>& kernel) {
    const Unwatched own;
    release(&start_);
    while (threads_.size() < count) {
      const auto place = static_cast<unsigned>(threads_.size());
      threads_.emplace_back(new Thread(place, &Block::run_thread));
    }
    count_ = count;
    kernel_ = &kernel;
    lanes_.clear();
    block_ = {};
    for (const auto& thread : threads_) thread->finished = false;
    while (turn()) {
    }
    acquire(&end_);
  }

  // Returns when all of the block's threads have arrived.
  void wait_block() {
    const Unwatched own;
    wait(block_, count_);
  }
  // When all lanes of the mask have.
  void wait_lanes(unsigned mask) {
    const Unwatched own;
    wait(lanes(mask).barrier, __builtin_popcount(mask));
  }
  // Lanes with one mask are one group.
  Lanes& lanes(unsigned mask) { return lanes_[{running_->index / kWarp, mask}]; }
  unsigned lane() const { return running_->index % kWarp; }

 private:
  // What a thread does in a block; its fiber repeats it.
  static void run_thread() {
    Block& block = current();
    acquire(&block.start_);
    (*block.kernel_)();
    const Unwatched own;
    release(&block.end_);
    Thread& self = *block.running_;
    self.finished = true;
    self.fiber.suspend();
  }

  // Lets one warp run as far ahead of the others as barriers allow.
  bool run_ahead(unsigned warp) {
    bool any = false;
    for (bool more = warp != late_; more; any |= more) {
      more = false;
      for (unsigned k = warp * kWarp; k < count_ && k < (warp + 1) * kWarp; ++k) {
        if (!threads_[k]->can_run()) continue;
        more = true;
        resume(*threads_[k]);
      }
    }
    return any;
  }

  // Lets every thread run that can, in an order of its own; false when all have finished. One warp
  // is late: it runs when no other can, and what others overwrite before it was read goes wrong.
  bool turn() {
    bool late_waits = false, unfinished = false;
    bool any = run_ahead(random() % (count_ / kWarp + 1));
    const unsigned first = random() % count_, stride = 2 * (random() % count_) + 1;
    for (unsigned k = 0; k < count_; ++k) {
      // A stride that is odd visits a power of two of threads once each.
      Thread& thread = *threads_[(first + k * stride) % count_];
      unfinished |= !thread.finished;
      if (!thread.can_run()) continue;
      if (thread.index / kWarp == late_) {
        late_waits = true;
        continue;
      }
      any = true;
      resume(thread);
    }
    if (unfinished && !any && !late_waits) std::abort();  // some wait at a barrier for ever
    if (late_ == kNoWarp) {
      late_ = random() % (count_ / kWarp + 1);
    } else if (!any) {
      late_ = kNoWarp;
    }
    return unfinished;
  }

  void resume(Thread& thread) {
    running_ = &thread;
    thread.waits_for = nullptr;
    threadIdx.x = thread.index;
    thread.fiber.resume();
  }

  void wait(Barrier& barrier, unsigned count) {
    release(&barrier);
    if (++barrier.arrived == count) {
      barrier.arrived = 0;
      ++barrier.generation;
    } else {
      running_->waits_for = &barrier;
      running_->generation = barrier.generation;
      running_->fiber.suspend();
    }
    acquire(&barrier);
  }

  unsigned random() { return state_ = state_ * 1664525u + 1013904223u, state_ >> 8; }

  std::vector<std::unique_ptr<Thread>> threads_;
  Thread* running_ = nullptr;
  const std::function<void()>* kernel_ = nullptr;
  Barrier block_;
  std::map<std::pair<unsigned, unsigned>, Lanes> lanes_;  // by warp and mask
  unsigned count_ = 0, state_ = 1, late_ = kNoWarp;
  int start_ = 0, end_ = 0;  // what the sanitizer orders blocks by
};

// Every lane of the mask gives a value and takes that of another lane.
template <class T>
T shuffle(unsigned mask, T value, unsigned from) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t), "as on a device");
  const Unwatched own;
  Block& block = Block::current();
  const unsigned lane = block.lane();
  if (!(mask >> lane & mask >> from & 1)) std::abort();  // undefined on a device
  Lanes& lanes = block.lanes(mask);
  std::uint64_t* const values = lanes.values[lanes.barrier.generation % 2];
  std::memcpy(values + lane, &value, sizeof value);
  block.wait_lanes(mask);
  std::memcpy(&value, values + from, sizeof value);
  return value;
}

// The emulated kernel<<<blocks, threads>>>(...): kernel is a call without arguments.
inline void launch(std::int64_t blocks, unsigned threads, const std::function<void()>& kernel) {
  blockDim.x = threads;
  gridDim.x = static_cast<unsigned>(blocks);
  for (std::int64_t block = 0; block < blocks; ++block) {
    blockIdx.x = static_cast<unsigned>(block);
    Block::current().run(threads, kernel);
  }
}

}  // namespace emulation

inline void __syncthreads() { emulation::Block::current().wait_block(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  emulation::Block::current().wait_lanes(mask);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  const unsigned lane = emulation::Block::current().lane();
  return emulation::shuffle(mask, value, lane ^ static_cast<unsigned>(lanes));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return emulation::shuffle(mask, value, static_cast<unsigned>(lane));
}
