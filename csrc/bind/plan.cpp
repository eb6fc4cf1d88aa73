// What a plan is made of: groups and arrays, checked when they are added.
#include "plan.hpp"

#include <algorithm>

#include "checks.hpp"
#include "messages.hpp"
#include "naming.hpp"

namespace proxstep::bind {
namespace {

Borrowed own_count(const py::object& count) {
  if (count.is_none()) return Borrowed();
  Borrowed b = Borrowed::output(count, "count");
  if (b.on_device() || b.array.dtype != DType::float32 || b.array.size() != 1) {
    throw py::value_error("count must be one float32 in CPU memory, it is " +
                          std::string(dtype_name(b.array.dtype)) + " of shape " +
                          shape_text(b.array));
  }
  return b;
}

}  // namespace

void Plan::add_group(const py::object& rule, bool euclidean) {
  groups_.push_back({rule, rule.cast<const RuleSpec*>(), euclidean});
}

void Plan::set_rule(std::size_t group, const py::object& rule) {
  const auto* const spec = rule.cast<const RuleSpec*>();
  if (spec->kind != groups_.at(group).rule->kind) {
    throw py::value_error("a group keeps its kind of rule: its moments belong to it");
  }
  groups_[group] = {rule, spec, groups_[group].euclidean};
}

void Plan::add(std::size_t group, const py::object& x, const py::tuple& moments,
               const py::object& penalty, const py::object& count, const py::object& master,
               int selection, std::optional<std::size_t> place) {
  naming("params", entries_.size(), [&] {
    const RuleSpec& rule = *groups_.at(group).rule;
    StepArguments arrays(x, moments, rule, penalty.cast<const PenaltySpec*>(), dtype_);
    if (!entries_.empty()) check_place(arrays.x(), &first());
    if (!master.is_none()) arrays.step_master(master);
    if (stochastic_) arrays.round_stochastically();
    const std::size_t known_by = place.value_or(entries_.size());
    entries_.push_back({std::move(arrays), group, known_by, own_count(count)});
    if (selection != kNoSelection) take_part(selection);
  });
  keep_.append(py::make_tuple(x, moments, penalty, count, master));
}

void Plan::set_penalty(std::size_t entry, const py::object& penalty) {
  naming("params", entry,
         [&] { entries_.at(entry).arrays.set_penalty(penalty.cast<const PenaltySpec*>()); });
  const py::tuple kept = keep_[entry];
  keep_[entry] = py::make_tuple(kept[0], kept[1], penalty, kept[3], kept[4]);
}

// The newest entry takes part in a selection, whose scores must be of one kind.
void Plan::take_part(int selection) {
  StepArguments& newest = entries_.back().arrays;
  for (std::size_t k = 0; k + 1 < entries_.size(); ++k) {
    if (entries_[k].arrays.task().selection != selection) continue;
    check_same_scores(k);
    break;
  }
  newest.take_part(selection);
}

// Of element k and the newest.
void Plan::check_same_scores(std::size_t k) const {
  const DType own = entries_.back().arrays.x().array.dtype;
  const DType other = entries_[k].arrays.x().array.dtype;
  const std::string beside = "; params[" + std::to_string(k) + "], of the same global TopK, ";
  if (compute_type(own) != compute_type(other)) {
    throw py::value_error(std::string("x has dtype ") + dtype_name(own) + beside + "has " +
                          dtype_name(other) + ", whose scores have other digits");
  }
  const Group &own_group = group_of(entries_.size() - 1), &other_group = group_of(k);
  if (own_group.own_steps() != other_group.own_steps()) {
    throw py::value_error("the prox has " + own_group.steps_text() + beside + "has " +
                          other_group.steps_text());
  }
}

void Plan::check_overlaps() {
  owned_.clear();
  for (const Entry& e : entries_) {
    owned_.add(e.arrays.x());
    for (const Borrowed& b : e.arrays.kept()) owned_.add(b);
  }
  const auto [a, b] = owned_.overlapping();
  if (a) throw py::value_error(named(*a) + " and " + named(*b) + " overlap in memory");
}

// An array of this plan as errors call it.
std::string Plan::named(const Borrowed& b) const {
  const auto is_it = [&](const Borrowed& own) { return &own == &b; };
  const auto owns = [&](const Entry& e) {
    const std::vector<Borrowed>& kept = e.arrays.kept();
    return is_it(e.arrays.x()) || std::any_of(kept.begin(), kept.end(), is_it);
  };
  const auto entry = std::find_if(entries_.begin(), entries_.end(), owns);
  return "params[" + std::to_string(entry - entries_.begin()) + "]: " + b.name;
}

}  // namespace proxstep::bind
