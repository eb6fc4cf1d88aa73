// Runs __global__ kernels on the host: blocks one after another, each thread of a block a fiber.
// Between two barriers the fibers run one by one in an order that changes, so that what lacks a
// barrier goes wrong; the thread sanitizer sees every fiber as a thread and names the race.
// Include it before the kernels.
#pragma once
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

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
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

constexpr unsigned kWarp = 32;
constexpr unsigned kNoWarp = ~0u;
constexpr std::size_t kStack = 256 << 10;

// The emulation's own state is no kernel's: the thread sanitizer does not look while one lives.
struct Unwatched {
#if defined(__SANITIZE_THREAD__)
  Unwatched() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Unwatched() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
#else
  Unwatched() {}  // not trivial: the object counts as used
#endif
};

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

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStack]};
  unsigned thread = 0;
  bool finished = false;
  Barrier* waits_for = nullptr;
  unsigned generation = 0;  // of the barrier when it arrived
#if defined(__SANITIZE_THREAD__)
  void* sanitizer = __tsan_create_fiber(0);
#endif
  bool can_run() const { return !finished && (!waits_for || waits_for->generation != generation); }
};

class Block {
 public:
  static Block& current() {
    static Block* const block = new Block;  // never freed: fibers own what lies on their stacks
    return *block;
  }

  void run(unsigned threads, const std::function<void()>& kernel) {
    const Unwatched own;
#if defined(__SANITIZE_THREAD__)
    __tsan_release(&start_);
#endif
    while (fibers_.size() < threads) fibers_.emplace_back(new Fiber);
    threads_ = threads;
    kernel_ = &kernel;
    lanes_.clear();
    block_ = {};
    for (unsigned k = 0; k < threads; ++k) start(k);
    while (turn()) {
    }
#if defined(__SANITIZE_THREAD__)
    __tsan_acquire(&end_);
#endif
  }

  // Returns when all of the block's threads have arrived.
  void wait_block() {
    const Unwatched own;
    wait(block_, threads_);
  }
  // When all lanes of the mask have.
  void wait_lanes(unsigned mask) {
    const Unwatched own;
    wait(lanes(mask).barrier, __builtin_popcount(mask));
  }
  // Lanes with one mask are one group.
  Lanes& lanes(unsigned mask) { return lanes_[{running_->thread / kWarp, mask}]; }
  Fiber& running() { return *running_; }

 private:
  void start(unsigned k) {
    Fiber& fiber = *fibers_[k];
    fiber.thread = k;
    fiber.finished = false;
    fiber.waits_for = nullptr;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = &scheduler_;
    makecontext(&fiber.context, &Block::enter, 0);
  }

  // Lets one warp run as far ahead of the others as barriers allow.
  bool run_ahead(unsigned warp) {
    bool any = false;
    for (bool more = true; more; any |= more) {
      more = false;
      for (unsigned k = warp * kWarp; warp != late_ && k < threads_ && k < (warp + 1) * kWarp;
           ++k) {
        if (!fibers_[k]->can_run()) continue;
        more = true;
        resume(*fibers_[k]);
      }
    }
    return any;
  }

  // Lets every fiber run that can, in an order of its own; false when all have finished. One warp
  // is late: it runs when no other can, and what others overwrite before it was read goes wrong.
  bool turn() {
    bool late_waits = false, unfinished = false;
    bool any = run_ahead(random() % (threads_ / kWarp + 1));
    const unsigned first = random() % threads_, stride = 2 * (random() % threads_) + 1;
    for (unsigned k = 0; k < threads_; ++k) {
      // A stride that is odd visits a power of two of threads once each.
      Fiber& fiber = *fibers_[(first + k * stride) % threads_];
      unfinished |= !fiber.finished;
      if (!fiber.can_run()) continue;
      if (fiber.thread / kWarp == late_) {
        late_waits = true;
        continue;
      }
      any = true;
      resume(fiber);
    }
    if (unfinished && !any && !late_waits) std::abort();  // some wait at a barrier for ever
    if (late_ == kNoWarp) {
      late_ = random() % (threads_ / kWarp + 1);
    } else if (!any) {
      late_ = kNoWarp;
    }
    return unfinished;
  }

  void resume(Fiber& fiber) {
    running_ = &fiber;
    fiber.waits_for = nullptr;
    threadIdx.x = fiber.thread;
#if defined(__SANITIZE_THREAD__)
    scheduler_fiber_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber.sanitizer, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, fiber.stack.get(), kStack);
#endif
    swapcontext(&scheduler_, &fiber.context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  void suspend() {
    Fiber& fiber = *running_;
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(scheduler_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(fiber.finished ? nullptr : &fake_stack, scheduler_stack_,
                                   scheduler_stack_size_);
#endif
    if (fiber.finished) {
      setcontext(&scheduler_);
    } else {
      swapcontext(&fiber.context, &scheduler_);
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_stack_, &scheduler_stack_size_);
#endif
  }

  void wait(Barrier& barrier, unsigned count) {
#if defined(__SANITIZE_THREAD__)
    __tsan_release(&barrier);
#endif
    if (++barrier.arrived == count) {
      barrier.arrived = 0;
      ++barrier.generation;
    } else {
      running_->waits_for = &barrier;
      running_->generation = barrier.generation;
      suspend();
    }
#if defined(__SANITIZE_THREAD__)
    __tsan_acquire(&barrier);
#endif
  }

  static void enter() {
    Block& block = current();
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &block.scheduler_stack_, &block.scheduler_stack_size_);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_acquire(&block.start_);
#endif
    (*block.kernel_)();
    const Unwatched own;
#if defined(__SANITIZE_THREAD__)
    __tsan_release(&block.end_);
#endif
    block.running_->finished = true;
    block.suspend();
  }

  unsigned random() { return state_ = state_ * 1664525u + 1013904223u, state_ >> 8; }

  std::vector<std::unique_ptr<Fiber>> fibers_;
  Fiber* running_ = nullptr;
  const std::function<void()>* kernel_ = nullptr;
  ucontext_t scheduler_;
  Barrier block_;
  std::map<std::pair<unsigned, unsigned>, Lanes> lanes_;  // by warp and mask
  unsigned threads_ = 0, state_ = 1, late_ = kNoWarp;
  int start_ = 0, end_ = 0;  // what the sanitizer orders blocks by
#if defined(__SANITIZE_THREAD__)
  void* scheduler_fiber_ = nullptr;
#endif
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_size_ = 0;
#endif
};

// Every lane of the mask gives a value and takes that of another lane.
template <class T>
T shuffle(unsigned mask, T value, unsigned from) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t), "as on a device");
  const Unwatched own;
  Block& block = Block::current();
  const unsigned lane = block.running().thread % kWarp;
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
  const unsigned lane = emulation::Block::current().running().thread % emulation::kWarp;
  return emulation::shuffle(mask, value, lane ^ static_cast<unsigned>(lanes));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return emulation::shuffle(mask, value, static_cast<unsigned>(lane));
}
