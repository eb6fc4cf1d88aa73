// The scores of the elements of many arrays, chunk by chunk on the pool: those that a step will
// rank, or, once it has stored its points, those of the points.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <vector>

#include "../op/nm.hpp"
#include "../op/rounding.hpp"
#include "../storage.hpp"
#include "chunks.hpp"
#include "histogram.hpp"
#include "runner.hpp"

namespace proxstep::cpu {

// All tasks compute in C.
template <class C>
class Scored {
  using W = op::Score<C>;
  using index = std::int64_t;
  static constexpr index kRun = 16;  // neighbours in a sample: they lie in few cache lines

 public:
  Scored(const std::vector<Task>& tasks, double grad_scale)
      : tasks_(tasks), pass_(pass_over(tasks.data(), task_count(), grad_scale)) {
    for (const Task& t : tasks) elements_ += t.n;
  }

  index elements() const { return elements_; }
  index chunks() const { return total_chunks(tasks_.data(), task_count()); }

  // body(task, begin, end, number of the chunk)
  template <class Body>
  void each_chunk(const Body& body) const {
    over_chunks(tasks_.data(), task_count(), [&](const Task& t, index chunk, index i) {
      body(t, chunk * kChunk, std::min(t.n, (chunk + 1) * kChunk), i);
    });
  }

  // run(runner) for a task.
  template <class Run>
  void with_runner(const Task& t, const Run& run) const {
    with_storage(t.dtype, [&](auto storage) {
      using S = decltype(storage);
      if constexpr (std::is_same_v<op::compute_t<S>, C>) run(Runner<S>(t, pass_, nullptr));
    });
  }

  // body(first, count, scores)
  template <class Body>
  void scores(const Task& t, index begin, index end, const Body& body) const {
    W found[kTile];
    with_runner(t, [&](const auto& runner) {
      runner.points(begin, end, [&](index at, index n, const C* z, const C* steps) {
        kernels<C>().scores({n, z, steps, found});
        body(at, n, static_cast<const W*>(found));
      });
    });
  }

  // About (3 n)^(2/3) scores: more would cost more than they save inside the window.
  std::vector<W> sample() const {
    const index stretch = std::max(kRun, static_cast<index>(8.0 * std::cbrt(double(elements_))));
    std::vector<std::vector<W>> found(static_cast<std::size_t>(chunks()));
    each_chunk([&](const Task& t, index begin, index end, index i) {
      for (index at = begin; at < end; at += stretch) {
        // Whatever is regular in an array, the places of a sample are not.
        const std::uint64_t random = op::mixed((std::uint64_t(i) << 40) + std::uint64_t(at));
        add_run(t, {at, std::min(stretch, end - at), stretch}, random, &found[i]);
      }
    });
    std::vector<W> all;
    for (const auto& some : found) all.insert(all.end(), some.begin(), some.end());
    return all;
  }

  Histogram<W> histogram(Window<W> window) const {
    Histogram<W> sum(window);
    std::mutex adding;
    each_chunk([&](const Task& t, index begin, index end, index) {
      Histogram<W> own(window);
      scores(t, begin, end, [&](index, index n, const W* score) {
        for (index i = 0; i < n; ++i) own.add(score[i]);
      });
      const std::lock_guard<std::mutex> lock(adding);
      sum.add(own);
    });
    return sum;
  }

 private:
  struct Stretch {
    index begin, length, full;
  };

  index task_count() const { return static_cast<index>(tasks_.size()); }

  // A run somewhere in a stretch; a short one at the end of a chunk counts for its share.
  void add_run(const Task& t, Stretch s, std::uint64_t random, std::vector<W>* to) const {
    if (static_cast<index>(random % std::uint64_t(s.full)) >= s.length) return;
    const index n = std::min(kRun, s.length);
    const index at = s.begin + static_cast<index>((random >> 32) % std::uint64_t(s.length - n + 1));
    scores(t, at, at + n, [&](index, index count, const W* score) {
      to->insert(to->end(), score, score + count);
    });
  }

  const std::vector<Task>& tasks_;
  index elements_ = 0;
  Pass pass_;
};

}  // namespace proxstep::cpu
