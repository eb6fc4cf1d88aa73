// What a selection drops, marked by the pass that makes the step: a second one would have to make
// the steps of the elements again.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "chunks.hpp"

namespace proxstep::cpu {

template <class W>
struct Part {  // what one chunk has in the window
  const Task* task;
  std::int64_t begin, end;
  WindowCounts counts;
  std::vector<W> inside;
  std::vector<int> places;  // of the scores inside, from the begin
};

inline void make_marks(std::vector<Task>* tasks, std::vector<unsigned char>* marks) {
  constexpr std::int64_t of_chunk = kChunk / kTile * kMarks;
  const auto count = static_cast<std::int64_t>(tasks->size());
  marks->resize(static_cast<std::size_t>(total_chunks(tasks->data(), count) * of_chunk));
  unsigned char* next = marks->data();
  for (Task& t : *tasks) {
    t.marks = next;
    next += (t.n + kChunk - 1) / kChunk * of_chunk;
  }
}

template <class W>
void mark_inside(const Part<W>& part, W key) {
  for (std::size_t k = 0; k < part.places.size(); ++k) {
    const W score = part.inside[k];
    const std::int64_t at = part.begin + part.places[k];
    if (score > key || (score == key && at < part.task->kept.ties_end)) continue;
    part.task->marks[at / kTile * kMarks + at % kMarks] |=
        static_cast<unsigned char>(1 << (at % kTile / kMarks));
  }
}

// What is in the window is marked by its score; marks that do not serve are forgotten.
template <class W>
void finish_marks(const std::vector<Part<W>>& parts, W key, bool serve, std::vector<Task>* tasks) {
  for (Task& t : *tasks) t.marks = serve ? t.marks : nullptr;
  for (const Part<W>& part : parts) {
    if (part.task->marks) mark_inside(part, key);
  }
}

}  // namespace proxstep::cpu
