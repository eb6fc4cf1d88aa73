// Many arrays in one native call: checked once, one job for the pool a step.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../cpu/registry.hpp"
#include "../cpu/select.hpp"
#include "ownership.hpp"
#include "task.hpp"

namespace proxstep::bind {

class Plan {
 public:
  Plan(py::object dtype, std::uint64_t seed, bool stochastic)
      : dtype_(std::move(dtype)), seed_(seed), stochastic_(stochastic) {}

  void add_group(const py::object& rule, bool euclidean);
  // Another rule of the same kind, from the next step on.
  void set_rule(std::size_t group, const py::object& rule);
  // count: None, or the array's own count of steps, a float32 in CPU memory that steps advance.
  // Such an array may go without a gradient. master: None, or what is stepped instead of a 16-bit
  // x. selection: among which elements x's have to be the largest to stay. place: what random bits
  // know the array by, its index in the plan where none is given.
  void add(std::size_t group, const py::object& x, const py::tuple& moments,
           const py::object& penalty, const py::object& count, const py::object& master,
           int selection, std::optional<std::size_t> place);
  // Another penalty of an array, or None, from the next step on. What takes part in a selection
  // keeps to it.
  void set_penalty(std::size_t entry, const py::object& penalty);
  // Of an array that is drawn to levels, from the next step on.
  void set_rho(std::size_t entry, double rho) { entries_.at(entry).arrays.set_rho(rho); }
  // Steps of an array whose count says `count`, which may be a rounded one: for the plan that takes
  // this one's place. The count itself is not read, which may lie elsewhere by now.
  double taken(std::size_t entry, float count) const { return entries_.at(entry).taken(count); }
  void set_taken(std::size_t entry, double taken) { entries_.at(entry).exact_count = taken; }
  // Arrays of different entries must not share memory; called once all are added.
  void check_overlaps();
  bool on_device() const { return !entries_.empty() && first().on_device(); }

  // t: of arrays without a count of their own. lrs: one per group, or empty for the rules' own.
  // max_norm <= 0: no clipping. rates and count: None, or in the device's memory the learning rates
  // of the groups and the count of steps. keep: what stays of each selection.
  // Returns (gradient norm or None, statistics or None).
  py::tuple step(const py::list& grads, double t, const std::vector<double>& lrs, double grad_scale,
                 double max_norm, bool statistics, const py::object& rates, const py::object& count,
                 const py::list& keep);

  // Raises what a step with these would, and changes nothing.
  void check(const py::list& grads, double grad_scale, const py::list& keep,
             const std::vector<double>& lrs);

 private:
  struct Group {
    bool own_steps() const { return !euclidean && !cpu::rule_info(rule->kind).scalar_step; }
    std::string steps_text() const { return own_steps() ? "a step per element" : "one step"; }
    py::object keep;
    const RuleSpec* rule;
    bool euclidean;
  };
  struct Entry {
    float* steps() const { return static_cast<float*>(count.array.data); }
    // Steps of an array with a count. From 2^24 on a float32 counts by ones no more: ours goes on
    // as long as the array's is its rounding, which nobody else has set then.
    double taken(float now) const {
      return static_cast<float>(exact_count) == now ? exact_count : now;
    }
    void take_step() {
      exact_count = taken(*steps()) + 1.0;
      *steps() = static_cast<float>(exact_count);
    }
    StepArguments arrays;
    std::size_t group, place;
    Borrowed count;  // without data where the array has none of its own
    double exact_count = 0.0;
  };
  struct Gradient {
    std::size_t entry;
    Borrowed lent;
  };
  class RatesOnDevice;

  const Borrowed& first() const { return entries_.front().arrays.x(); }
  const Group& group_of(std::size_t entry) const { return groups_[entries_[entry].group]; }
  void take_part(int selection);
  void check_same_scores(std::size_t k) const;
  std::string named(const Borrowed& b) const;

  void begin(double grad_scale);
  void follow_stream();
  std::vector<Gradient> gradients(const py::list& grads) const;
  std::vector<Task> prepared(const std::vector<Gradient>& grads, double t,
                             const std::vector<double>& lrs) const;
  bool share_step(std::size_t k, std::size_t other) const;
  void run_on_cpu(const std::vector<Gradient>& grads, const cuda::StepCall& call,
                  std::vector<Task>* tasks);

  py::object dtype_;
  std::uint64_t seed_;
  bool stochastic_;
  std::vector<Group> groups_;
  std::vector<Entry> entries_;
  std::vector<cpu::LastEnd> ends_;  // of the selections
  Ownership owned_;                 // parameters, moments and masters
  py::list keep_;                   // what all the pointers point into
};

}  // namespace proxstep::bind
