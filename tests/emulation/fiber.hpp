// Threads that take turns on one thread of the host, each with a stack of its own, and what the
// sanitizers must be told of them.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <memory>

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

namespace emulation {

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

// What is done before `release(p)` is done for who comes after `acquire(p)`.
inline void release([[maybe_unused]] void* p) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(p);
#endif
}
inline void acquire([[maybe_unused]] void* p) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(p);
#endif
}

// Runs body() again and again; a suspended one goes on where it was.
class Fiber {
 public:
  explicit Fiber(void (*body)()) : body_(body) {}
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From the one thread that resumes fibers.
  void resume() {
    running() = this;
#if defined(__SANITIZE_THREAD__)
    caller_fiber_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(own_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, stack_.get(), kStack);
#endif
    enter();
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  // From the fiber itself.
  void suspend() {
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(caller_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, caller_stack_, caller_stack_size_);
#endif
    leave();
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, &caller_stack_, &caller_stack_size_);
#endif
  }

 private:
  static constexpr std::size_t kStack = 256 << 10;

  static Fiber*& running() {
    static Fiber* fiber = nullptr;
    return fiber;
  }

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  void enter() {
    if (!started_) start();
    swapcontext(&caller_, &own_);
  }
  void leave() { swapcontext(&own_, &caller_); }
#else
  // swapcontext asks the system for the signal mask, which takes longer than all the rest.
  void enter() {
    if (_setjmp(caller_jump_)) return;
    if (started_) _longjmp(own_jump_, 1);
    start();
    setcontext(&own_);
  }
  void leave() {
    if (!_setjmp(own_jump_)) _longjmp(caller_jump_, 1);
  }
  jmp_buf caller_jump_, own_jump_;
#endif

  void start() {
    started_ = true;
    getcontext(&own_);
    own_.uc_stack.ss_sp = stack_.get();
    own_.uc_stack.ss_size = kStack;
    makecontext(&own_, &Fiber::run, 0);
  }

  static void run() {
    Fiber& fiber = *running();
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &fiber.caller_stack_, &fiber.caller_stack_size_);
#endif
    for (;;) fiber.body_();
  }

  void (*body_)();
  std::unique_ptr<char[]> stack_{new char[kStack]};
  bool started_ = false;
  ucontext_t own_, caller_;
#if defined(__SANITIZE_THREAD__)
  void* own_fiber_ = __tsan_create_fiber(0);
  void* caller_fiber_ = nullptr;
#endif
#if defined(__SANITIZE_ADDRESS__)
  const void* caller_stack_ = nullptr;
  std::size_t caller_stack_size_ = 0;
#endif
};

}  // namespace emulation
