// Rules and penalties as Python holds them: settings that are checked once and never change.
#pragma once
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../task.hpp"
#include "borrowed.hpp"
#include "device.hpp"

namespace proxstep::bind {

// In both compute types.
class Numbers {
 public:
  Numbers() = default;
  explicit Numbers(std::vector<double> numbers);
  // Where x lies, in its compute type; copied to a device once.
  const void* beside(const Borrowed& x) const;
  const std::vector<double>& wide() const { return wide_; }

 private:
  std::vector<double> wide_;
  std::vector<float> narrow_;
  DeviceCopies wide_copies_, narrow_copies_;
};

// Non-negative factors.
class Weights {
 public:
  Weights() = default;
  explicit Weights(py::handle array_or_none);
  const void* beside(const Borrowed& x) const { return given_ ? numbers_.beside(x) : nullptr; }
  bool given() const { return given_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::int64_t size() const { return static_cast<std::int64_t>(numbers_.wide().size()); }

 private:
  bool given_ = false;
  Numbers numbers_;
  std::vector<std::int64_t> shape_;
};

struct RuleSpec {
  RuleSpec(const std::string& name, const std::vector<double>& settings, bool directed);
  int kind;
  double settings[op::kMaxConstants] = {};
  bool directed;  // takes directions for gradients
  int slots() const;
  // lr NaN: the rule's own.
  void apply(double t, double lr, bool euclidean, Task* task) const;
};

struct PenaltySpec {
  PenaltySpec(const std::string& name, const std::vector<double>& settings, py::handle weights);
  // Adds an outer penalty of group norms. over: rows, columns, heads, blocks or segments.
  void group(const std::string& name, const std::vector<double>& settings, const std::string& over,
             const std::vector<std::int64_t>& sizes, py::handle weights);
  // At most n nonzeros in every m consecutive elements of the last axis.
  void keep(int n, int m) { nm_ = {n, m}; }
  // Draws elements to levels: -most, -most + 1, ..., most, or a table where there is one. rho NaN:
  // a step will say. scale: "absmax", "mean" (so many times), or "given" by scales. over: rows,
  // blocks of so many elements, or all.
  void quantize(double most, double per_scale, const std::vector<double>& table, double rho,
                const std::string& scale, double multiple, py::handle scales);
  void quantize_over(const std::string& over, std::int64_t block);
  void apply(const Borrowed& x, Task* task) const;

 private:
  enum class Layout { none, rows, columns, heads, blocks, segments };
  void apply_groups(const Borrowed& x, GroupPenalty* groups) const;
  const std::int64_t* offsets_beside(const Borrowed& x) const;
  void apply_heads(const Borrowed& x, GroupPenalty* groups) const;
  void apply_axis(const Borrowed& x, GroupPenalty* groups) const;
  void check_blocks(const Borrowed& x) const;
  void apply_levels(const Borrowed& x, Task* task) const;
  void cut_for_levels(const Borrowed& x, std::int64_t length, GroupPenalty* groups) const;
  void check_level_scales(const Borrowed& x, std::int64_t groups) const;

  ElementPenalty element_;
  GroupPenalty groups_;
  NM nm_;
  Layout layout_ = Layout::none;
  Levels levels_;
  Weights weights_, group_weights_, level_scales_;
  Numbers table_;
  std::vector<std::int64_t> offsets_;  // segments
  DeviceCopies offset_copies_;
  std::int64_t block_ = 0, heads_ = 0;
};

void bind_specs(py::module_& m);

}  // namespace proxstep::bind
