// A guess says in what window the least score that stays will lie: around the last one, or where a
// sample has it. One pass counts the scores above and collects the few inside, and these decide
// (Floyd and Rivest, Expected time bounds for selection, CACM 18, 1975). A guess that misses costs
// passes, in the end those of a radix sort; the result is that of sorting everything.
#include "select.hpp"

#include <algorithm>
#include <atomic>
#include <functional>

#include "guess.hpp"
#include "marks.hpp"
#include "scored.hpp"

namespace proxstep::cpu {
namespace {

using index = std::int64_t;

template <class C>
class Selection {
  using W = op::Score<C>;
  static constexpr W kLargest = kLargestScore<C>;

 public:
  Selection(std::vector<Task>* tasks, index keep, const SelectCall& call)
      : tasks_(*tasks), scored_(*tasks, call.grad_scale), keep_(keep), n_(scored_.elements()) {
    in_place_ = !call.statistics && std::all_of(tasks_.begin(), tasks_.end(), can_step_in_place);
    parts_.resize(static_cast<std::size_t>(scored_.chunks()));
  }

  // Sets what each task keeps.
  void decide(LastEnd* last) {
    if (keep_ <= 0) return keep_everywhere(kLargest + 1);
    if (keep_ >= n_) return keep_everywhere(0);
    if (in_place_ && tasks_.front().rule_steps) make_marks(&tasks_, &last->marks);
    bool sampled = last->key < 0;
    Window<W> window = sampled ? guess() : guess_from<C>(*last);
    for (;;) {
      count(window);
      const Place<W> found = locate(window);
      if (found.window.low == found.window.high && found.count > 0) {
        const double inside = double(total().inside) / double(n_);
        remember<C>(found.window.low, window, inside, last);
        return spread(window, found);
      }
      window = sampled ? narrowed(found) : guess();
      sampled = true;
    }
  }

 private:
  // Whether what is stored beside z tells all that is to be known to select among the points:
  // moments that were rounded do not tell the steps of the elements.
  static bool can_step_in_place(const Task& t) {
    const bool told = !t.rule_steps || !t.narrowing.moments[0];
    return told && !t.extrapolates && !t.narrowing.copy && t.dtype == compute_type(t.dtype);
  }

  // Scores that may be collected: few arrays have all of them, the others a small share.
  index limit() const { return 4096 + n_ / 16; }

  void keep_everywhere(W key) {
    for (Task& t : tasks_) t.kept = {key, t.n};
  }

  Window<W> guess() const {
    if (n_ <= limit()) return {0, kLargest};
    return guess_from<C>(scored_.sample(), double(keep_) / double(n_));
  }

  // The first time in place this is the step itself.
  void count(Window<W> window) {
    const bool steps = in_place_ && passes_++ == 0;
    std::atomic<index> room{limit()};
    scored_.each_chunk([&](const Task& t, index begin, index end, index i) {
      Part<W>& part = parts_[i] = {&t, begin, end, {}, {}, {}};
      const auto take = [&](index at, index n, const C* z, const C* own_steps) {
        collect({n, z, own_steps, window.low, window.high, nullptr, nullptr, nullptr, nullptr}, at,
                steps, &part);
      };
      scored_.with_runner(t, [&](const auto& runner) {
        steps ? runner.step_points(begin, end, take) : runner.points(begin, end, take);
      });
      if (room.fetch_sub(part.counts.inside) < part.counts.inside) part.inside = {};
    });
    for (Task& t : tasks_) t.stepped = in_place_;
  }

  static void collect(WindowTile<C> tile, index at, bool steps, Part<W>* part) {
    W inside[kTile + 1];
    int places[kTile + 1];
    const bool marks = steps && part->task->marks;
    tile.inside = inside;
    tile.places = places;
    tile.marks = marks ? part->task->marks + at / kTile * kMarks : nullptr;
    tile.counts = &part->counts;
    const index before = part->counts.inside;
    kernels<C>().window(tile);
    const index found = part->counts.inside - before;
    part->inside.insert(part->inside.end(), inside, inside + found);
    for (index k = 0; marks && k < found; ++k) {
      part->places.push_back(static_cast<int>(at - part->begin) + places[k]);
    }
  }

  WindowCounts total() const {
    WindowCounts all;
    for (const Part<W>& part : parts_) {
      all.above += part.counts.above;
      all.at_high += part.counts.at_high;
      all.inside += part.counts.inside;
      all.at_low += part.counts.at_low;
    }
    return all;
  }

  // A place of a single score is the end; count 0 says that it has not been counted.
  Place<W> locate(Window<W> window) const {
    const WindowCounts all = total();
    index rank = keep_;
    if (rank <= all.above) return {{window.high + 1, kLargest}, rank, 0};
    rank -= all.above;
    if (rank <= all.at_high) return {{window.high, window.high}, rank, all.at_high};
    rank -= all.at_high;
    if (rank <= all.inside) return among(window, rank, all.inside);
    rank -= all.inside;
    if (rank <= all.at_low) return {{window.low, window.low}, rank, all.at_low};
    return {{0, window.low - 1}, rank - all.at_low, 0};
  }

  Place<W> among(Window<W> window, index rank, index count) const {
    std::vector<W> all;
    for (const Part<W>& part : parts_) {
      all.insert(all.end(), part.inside.begin(), part.inside.end());
    }
    if (static_cast<index>(all.size()) < count) return {{window.low + 1, window.high - 1}, rank, 0};
    const auto wanted = all.begin() + rank - 1;
    std::nth_element(all.begin(), wanted, all.end(), std::greater<W>());
    const W key = *wanted;
    const auto above = std::count_if(all.begin(), wanted, [=](W score) { return score > key; });
    return {{key, key}, rank - above, count};
  }

  // A window whose scores can be collected, or of one score.
  Window<W> narrowed(Place<W> place) const {
    do {
      place = scored_.histogram(place.window).find(place.rank);
    } while (place.count > limit() && place.window.low < place.window.high);
    return place.window;
  }

  // Gives the ties that stay to the tasks in their order.
  void spread(Window<W> window, Place<W> found) {
    const W key = found.window.low;
    for (Task& t : tasks_) t.kept = {key, 0};
    index left = found.rank;
    for (const Part<W>& part : parts_) {
      const index ties = ties_of(part, window, key);
      if (left == 0) break;
      tasks_[static_cast<std::size_t>(part.task - tasks_.data())].kept.ties_end =
          ties <= left ? part.end : end_of_ties(part, key, left);
      left -= std::min(left, ties);
    }
    const bool serve = passes_ == 1 && window.low < key && key < window.high;
    finish_marks(parts_, key, serve, &tasks_);
  }

  static index ties_of(const Part<W>& part, Window<W> window, W key) {
    if (key == window.high) return part.counts.at_high;
    if (key == window.low) return part.counts.at_low;
    return std::count(part.inside.begin(), part.inside.end(), key);
  }

  // Behind the tie of that rank in the chunk.
  index end_of_ties(const Part<W>& part, W key, index rank) const {
    index end = part.begin;
    scored_.scores(*part.task, part.begin, part.end, [&](index at, index n, const W* score) {
      for (index i = 0; i < n && rank > 0; ++i) {
        rank -= score[i] == key;
        end = at + i + 1;
      }
    });
    return end;
  }

  std::vector<Task>& tasks_;
  Scored<C> scored_;
  index keep_, n_;
  int passes_ = 0;  // in place
  bool in_place_;
  std::vector<Part<W>> parts_;
};

// The tasks of one selection, by their places in the list.
struct Members {
  std::vector<std::size_t> places;
  index elements = 0;
};

void decide(const Members& members, std::size_t j, const SelectCall& call,
            std::vector<Task>* tasks) {
  std::vector<Task> own;
  for (std::size_t place : members.places) own.push_back((*tasks)[place]);
  LastEnd* const last = &(*call.ends)[j];
  if (own.front().dtype == DType::float64) {
    Selection<double>(&own, call.keep[j], call).decide(last);
  } else {
    Selection<float>(&own, call.keep[j], call).decide(last);
  }
  for (std::size_t k = 0; k < own.size(); ++k) (*tasks)[members.places[k]] = own[k];
}

std::vector<Members> members_of(std::size_t selections, const std::vector<Task>& tasks) {
  std::vector<Members> members(selections);
  for (std::size_t place = 0; place < tasks.size(); ++place) {
    const Task& t = tasks[place];
    if (t.selection == kNoSelection) continue;
    members[static_cast<std::size_t>(t.selection)].places.push_back(place);
    members[static_cast<std::size_t>(t.selection)].elements += t.n;
  }
  return members;
}

}  // namespace

// Large ones share the threads, small ones take one each.
void select(const SelectCall& call, std::vector<Task>* tasks) {
  const std::vector<Members> members = members_of(call.keep.size(), *tasks);
  call.ends->resize(members.size());
  std::vector<std::size_t> small;
  index elements = 0;
  for (std::size_t j = 0; j < members.size(); ++j) {
    if (members[j].places.empty()) continue;
    if (members[j].elements >= kSerialBelow) {
      decide(members[j], j, call, tasks);
    } else {
      small.push_back(j);
      elements += members[j].elements;
    }
  }
  const auto count = static_cast<index>(small.size());
  const index at_once = elements < kSerialBelow ? std::max<index>(1, count) : 1;
  parallel_for(count, at_once, [&](index begin, index end, index) {
    for (index k = begin; k < end; ++k) {
      decide(members[small[static_cast<std::size_t>(k)]], small[static_cast<std::size_t>(k)], call,
             tasks);
    }
  });
}

}  // namespace proxstep::cpu
