// What Quantize asks for, kept, checked against an array and put into its task.
#include <cmath>

#include "layout.hpp"
#include "messages.hpp"
#include "spec.hpp"

namespace proxstep::bind {
namespace {

constexpr std::int64_t kPiece = 4096;  // elements of an array that has one scale anyway

Levels::Scale scale_named(const std::string& name) {
  return name == "absmax" ? Levels::Scale::largest
         : name == "mean" ? Levels::Scale::mean
                          : Levels::Scale::given;
}

void check_order(const Borrowed& x) {
  if (!is_c_order(x.array)) {
    throw py::value_error(std::string(x.name) + " of shape " + shape_text(x.array) +
                          " must be in C order to be quantised by rows or blocks");
  }
}

}  // namespace

void PenaltySpec::quantize(double most, double per_scale, const std::vector<double>& table,
                           double rho, const std::string& scale, double multiple,
                           py::handle scales) {
  levels_.scale = scale_named(scale);
  levels_.rho = rho;
  levels_.most = most;
  levels_.per_scale = per_scale;
  levels_.count = static_cast<int>(table.size());
  levels_.multiple = multiple;
  table_ = Numbers(table);
  level_scales_ = Weights(scales);
}

void PenaltySpec::quantize_over(const std::string& over, std::int64_t block) {
  layout_ = over == "rows" ? Layout::rows : Layout::blocks;
  block_ = block;
}

void PenaltySpec::apply_levels(const Borrowed& x, Task* task) const {
  if (std::isnan(levels_.rho)) {
    throw py::value_error("rho is a schedule; say for which update by at(update)");
  }
  Levels& levels = task->levels = levels_;
  if (levels.count) levels.table = table_.beside(x);
  levels.scales = level_scales_.beside(x);
  levels.shared = level_scales_.size() == 1 && layout_ == Layout::none;
  if (layout_ != Layout::none) check_order(x);
  if (task->n == 0) return;
  cut_for_levels(x, levels.shared ? kPiece : task->n, &task->groups);
  check_level_scales(x, levels.shared ? 1 : task->groups.count);
}

// Rows, blocks, or stretches of a length.
void PenaltySpec::cut_for_levels(const Borrowed& x, std::int64_t length,
                                 GroupPenalty* groups) const {
  if (layout_ != Layout::none) return apply_groups(x, groups);
  groups->over = Over::segments;
  groups->length = length;
  groups->count = (x.array.size() + length - 1) / length;
}

void PenaltySpec::check_level_scales(const Borrowed& x, std::int64_t groups) const {
  if (level_scales_.given() && level_scales_.size() != groups) {
    throw py::value_error("there are " + std::to_string(level_scales_.size()) + " scales for " +
                          std::to_string(groups) + " groups of " + x.name + " of shape " +
                          shape_text(x.array));
  }
}

}  // namespace proxstep::bind
