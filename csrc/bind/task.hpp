// One checked array of a step, and what steps on single arrays and on many share.
#pragma once
#include "../cpu/step.hpp"
#include "../cuda/step.hpp"
#include "spec.hpp"

namespace proxstep::bind {

void check_grad_scale(double grad_scale, DType dtype);
void check_lr(double lr);  // NaN: the rule's own

// x, its moments, its rule and its penalty; made once for an optimizer, per call for ps.step.
class StepArguments {
 public:
  StepArguments(py::handle x, const py::tuple& moments, const RuleSpec& rule,
                const PenaltySpec* penalty, py::handle dtype);
  // For 16-bit x: the step is taken on a float32 master, and x becomes it, rounded.
  void step_master(py::handle master);
  void round_stochastically();
  // What random bits depend on, beside the element.
  static op::RandomStream stream(std::uint64_t seed, double t, std::size_t array) {
    return {seed, static_cast<unsigned long long>(t), array};
  }
  // A gradient of the dtype and the shape of x.
  Borrowed gradient(py::handle g, py::handle dtype) const;
  void check_apart(const Borrowed& gradient) const;  // from x and the moments
  const Task& task() const { return task_; }
  const Borrowed& x() const { return x_; }
  const std::vector<Borrowed>& kept() const { return kept_; }  // moments, master
  void take_part(int selection) { task_.selection = selection; }
  void work_on(cuda::Stream stream) { x_.stream = stream; }
  void set_rho(double rho) { task_.levels.rho = rho; }  // of levels, from the next step on
  void set_penalty(const PenaltySpec* penalty);  // or null; nothing has changed where it raises

 private:
  void check_moment(std::size_t k, bool stored);
  void keep_apart(Borrowed b);

  Borrowed x_;
  std::vector<Borrowed> kept_;
  Task task_;
};

// With steps of length 0 nothing moves, and all scores would be infinite: what a selection or N:M
// sparsity keeps is then told by magnitudes. But where other arrays of a selection move, those at
// rest take no part in it: they are frozen. Not for rates in a device's memory: a task's step says
// nothing of those, and the kernels tell what is at rest.
void rank_at_rest(Task* tasks, std::size_t count);

// Runs where x lies; on the CPU without the GIL where that pays.
void run(const Borrowed& x, const Task& task, double grad_scale, Statistics* statistics);

// The same, where of x only `keep` elements stay.
void run_selected(const Borrowed& x, Task task, std::int64_t keep, double grad_scale,
                  Statistics* statistics);

// How many of n elements k asks for: itself, or where it is a Python float the share k of them, to
// the nearest integer.
std::int64_t kept_of(py::handle k, std::int64_t n);

// (nonzeros, penalty value, squared change, whether all is finite)
py::tuple statistics_tuple(const Statistics& s);

}  // namespace proxstep::bind
