#include "replay.hpp"

#include "row.hpp"

namespace proxstep::cpu {
namespace {

constexpr std::int64_t kLook = 32;  // steps from one look for rows that nothing moves to the next

std::size_t lines(std::int64_t bytes) { return static_cast<std::size_t>((bytes + 63) / 64); }

}  // namespace

Replay::Replay(Rows& rows, std::int64_t room, std::int64_t until)
    : rows_(rows), until_(until), task_(rows.whole) {
  const std::int64_t wide = itemsize(compute_type(task_.dtype));
  const std::int64_t stored = itemsize(task_.dtype) * rows.width;
  lend(task_.x, stored, true, room);
  for (void*& m : task_.m) lend(m, wide * rows.width, true, room);
  lend(task_.element.weights, wide * rows.width, false, room);
  lend(task_.groups.weights, wide, false, room);
  zeros_.resize(lines(room * stored));
  task_.source = task_.x;
  task_.g = zeros_.data();
}

template <class T>
void Replay::lend(T*& array, std::int64_t bytes, bool moves, std::int64_t room) {
  if (!array) return;
  auto* const home = static_cast<char*>(const_cast<void*>(static_cast<const void*>(array)));
  parts_.push_back({home, bytes, moves, std::vector<Line>(lines(room * bytes)), {}});
  array = parts_.back().own(0);
}

void Replay::catch_up(const std::int64_t* which, std::int64_t count) {
  const std::int64_t* const end = which + count;
  for (std::int64_t t = 0; which < end || active();) {
    if (!active()) t = rows_.taken[*which];
    for (; which < end && rows_.taken[*which] == t; ++which) enter(*which);
    ++t % kLook ? step(t) : step_and_look(t);
    while (t == until_ && active()) leave(active() - 1);
  }
}

void Replay::enter(std::int64_t index) {
  for (Part& part : parts_) {
    std::memcpy(part.own(active()), part.home + index * part.bytes, part.bytes);
  }
  slots_.push_back(index);
}

// For good: nothing moves the row in the steps that remain.
void Replay::leave(std::int64_t slot) {
  for (Part& part : parts_) {
    if (part.moves) {
      std::memcpy(part.home + slots_[slot] * part.bytes, part.own(slot), part.bytes);
    }
    std::memmove(part.own(slot), part.own(active() - 1), part.bytes);
  }
  rows_.taken[slots_[slot]] = until_;
  slots_[slot] = slots_.back();
  slots_.pop_back();
}

void Replay::step(std::int64_t number) {
  static_cast<RuleStep&>(task_) = rows_.history[number - 1 - rows_.start];
  task_.n = active() * rows_.width;
  if (task_.groups.over != Over::nothing) task_.groups.count = active();
  run(&task_, 1, 1.0, nullptr);
}

void Replay::step_and_look(std::int64_t number) {
  for (Part& part : parts_) {
    if (is_steady(number) && part.moves) part.before = part.here;
  }
  step(number);
  for (std::int64_t slot = active() - 1; slot >= 0; --slot) {
    if (is_settled(slot, number)) leave(slot);
  }
}

// Whether no later step moves the row: they are all the same as this one, which has not; or it is
// zero and nothing drives it.
bool Replay::is_settled(std::int64_t slot, std::int64_t number) {
  const auto stays = [&](Part& part) {
    return !part.moves || std::memcmp(part.own(slot), part.old(slot), part.bytes) == 0;
  };
  return stays_zero(slot, number) ||
         (is_steady(number) && std::all_of(parts_.begin(), parts_.end(), stays));
}

bool Replay::stays_zero(std::int64_t slot, std::int64_t number) {
  const auto zero = [&](Part& part) {
    const DType dtype = &part == &parts_.front() ? task_.dtype : compute_type(task_.dtype);
    return !part.moves || all_zero(part.own(slot), rows_.width, dtype);
  };
  if (!zero(parts_.front())) return false;
  return rule_info(task_.rule).stays_zero ||
         (number >= rows_.stirred && std::all_of(parts_.begin() + 1, parts_.end(), zero));
}

}  // namespace proxstep::cpu
