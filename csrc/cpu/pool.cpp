// Threads wait on a condition variable, after a short look: to wake one takes longer than small
// work, and a pool that spins on costs milliseconds on a busy machine. The pool is never joined at
// exit: that deadlocks under dlclose and after fork.
#include "pool.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace proxstep::cpu {
namespace {

thread_local bool inside_pool = false;

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kLookForWork{100}, kLookForEnd{20};

void relax() {
#if defined(__x86_64__)
  for (int k = 0; k < 8; ++k) __builtin_ia32_pause();
#elif defined(__aarch64__)
  for (int k = 0; k < 8; ++k) __asm__ volatile("isb");
#endif
}

// Returns once it is so, or the time is over.
template <class Is, class Rest>
void look(std::chrono::microseconds time, const Is& is, const Rest& rest) {
  for (const auto end = Clock::now() + time; !is() && Clock::now() < end;) rest();
}

class Job {
 public:
  Job(std::int64_t n, std::int64_t chunk, const ChunkBody& body, std::size_t threads)
      : n_(n), chunk_(chunk), chunks_((n + chunk - 1) / chunk), body_(&body), parts_(threads) {
    for (std::size_t k = 0; k < threads; ++k) {
      parts_[k].next = first_of(k);
      parts_[k].end = first_of(k + 1);
    }
  }

  // Takes chunks of a part of its own, which lie one behind the other, then of the other parts,
  // until none is left. A late thread finds none and never touches the body.
  void work() {
    const std::size_t own = workers_.fetch_add(1);
    for (std::size_t turn = 0; turn < parts_.size(); ++turn) {
      Part& part = parts_[(own + turn) % parts_.size()];
      for (std::int64_t k; (k = part.next.fetch_add(1)) < part.end;) run(k);
    }
  }

  // To yield here would hand a busy machine's processor to another process for milliseconds.
  void wait() {
    const auto finished = [this] { return done_.load() == chunks_; };
    look(kLookForEnd, finished, relax);
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, finished);
    if (error_) std::rethrow_exception(error_);
  }

 private:
  struct alignas(64) Part {
    std::atomic<std::int64_t> next;
    std::int64_t end;
  };

  std::int64_t first_of(std::size_t part) const {
    return chunks_ * static_cast<std::int64_t>(part) / static_cast<std::int64_t>(parts_.size());
  }

  void run(std::int64_t k) {
    try {
      (*body_)(k* chunk_, std::min(n_, (k + 1) * chunk_), k);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    if (done_.fetch_add(1) + 1 == chunks_) {
      std::lock_guard<std::mutex> lock(mutex_);
      finished_.notify_all();
    }
  }

  std::int64_t n_, chunk_, chunks_;
  const ChunkBody* body_;
  std::vector<Part> parts_;
  std::atomic<std::size_t> workers_{0};
  std::atomic<std::int64_t> done_{0};
  std::mutex mutex_;
  std::condition_variable finished_;
  std::exception_ptr error_;
};

class Pool {
 public:
  void submit(const std::shared_ptr<Job>& job, int helpers) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      helpers = std::min(helpers, grow(helpers));
      for (int k = 0; k < helpers; ++k) queue_.push_back(job);
      waiting_.store(static_cast<int>(queue_.size()));
    }
    helpers == 1 ? wake_.notify_one() : wake_.notify_all();
  }

 private:
  // How many threads there are; fewer than wanted where the system grants no more.
  int grow(int wanted) {
    try {
      while (static_cast<int>(threads_.size()) < wanted) threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
    }
    return static_cast<int>(threads_.size());
  }

  [[noreturn]] void serve() {
    inside_pool = true;
    for (;;) {
      look(kLookForWork, [this] { return waiting_.load() > 0; }, std::this_thread::yield);
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return !queue_.empty(); });
      const std::shared_ptr<Job> job = std::move(queue_.front());
      queue_.pop_front();
      waiting_.store(static_cast<int>(queue_.size()));
      lock.unlock();
      job->work();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::atomic<int> waiting_{0};  // in the queue
  std::vector<std::thread> threads_;
};

std::atomic<Pool*> the_pool{nullptr};
std::mutex creation;

// A forked child has no threads but its own: it forgets the parent's pool and makes a new one.
void forget_pool_in_children() {
#if defined(__unix__) || defined(__APPLE__)
  static const int registered = pthread_atfork([] { creation.lock(); }, [] { creation.unlock(); },
                                               [] {
                                                 the_pool.store(nullptr);
                                                 inside_pool = false;
                                                 creation.unlock();
                                               });
  (void)registered;
#endif
}

Pool& pool() {
  Pool* existing = the_pool.load();
  if (existing) return *existing;
  std::lock_guard<std::mutex> lock(creation);
  if (!the_pool.load()) {
    forget_pool_in_children();
    the_pool.store(new Pool);
  }
  return *the_pool.load();
}

int default_threads() {
  for (const char* name : {"PROXSTEP_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    const int n = text ? std::atoi(text) : 0;
    if (n > 0) return n;
  }
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::atomic<int> threads_wanted{0};

}  // namespace

int num_threads() {
  int n = threads_wanted.load(std::memory_order_relaxed);
  if (n == 0) {
    n = default_threads();
    threads_wanted.store(n);
  }
  return n;
}

void set_num_threads(int n) { threads_wanted.store(std::max(0, n)); }

void stay_serial() { inside_pool = true; }

bool runs_serially(std::int64_t chunks) { return chunks <= 1 || inside_pool || num_threads() <= 1; }

void run_on_pool(std::int64_t n, std::int64_t chunk, const ChunkBody& body) {
  const std::int64_t chunks = (n + chunk - 1) / chunk;
  const auto threads = static_cast<int>(std::min<std::int64_t>(num_threads(), chunks));
  const auto job = std::make_shared<Job>(n, chunk, body, threads);
  pool().submit(job, threads - 1);
  const bool was_inside = inside_pool;
  inside_pool = true;  // the caller's own chunks nest serially too
  job->work();
  inside_pool = was_inside;
  job->wait();
}

}  // namespace proxstep::cpu

extern "C" {
__attribute__((visibility("default"))) int proxstep_get_num_threads() {
  return proxstep::cpu::num_threads();
}
__attribute__((visibility("default"))) void proxstep_set_num_threads(int n) {
  proxstep::cpu::set_num_threads(n);
}
}
