// The penalty over the chosen blocks: which columns each has, and its prox and value.
// Letters: z point, s step, w weight; a column's place is its number among the chosen ones.
#pragma once
#include <cstdint>
#include <vector>

#include "../../descent.hpp"

namespace proxstep::cpu {

// One penalty of op/prox.hpp, chosen at run time.
struct ScalarPenalty {
  double (*prox)(const double* settings, double z, double s, double w) = nullptr;
  double (*value)(const double* settings, double x, double w) = nullptr;
  double (*scale)(const double* settings, double norm, double s, double w) = nullptr;  // of a group
  double (*slope)(const double* settings, double r) = nullptr;
  bool convex = true;
};

class Blocks {
 public:
  explicit Blocks(const Descent& descent);

  std::int64_t count() const { return static_cast<std::int64_t>(starts_.size()) - 1; }
  std::int64_t begin(std::int64_t block) const { return starts_[block]; }
  std::int64_t size(std::int64_t block) const { return starts_[block + 1] - starts_[block]; }
  bool single() const { return groups_.over == Over::nothing; }
  const std::vector<std::int64_t>& columns() const { return columns_; }

  bool convex() const { return single() ? elements_.convex : norms_.convex; }
  // The lines above the penalty that touch it at x, where it is concave in |x|: a convex one.
  Blocks lines_at(const double* x) const;

  double prox(std::int64_t place, double z, double s) const {
    return elements_.prox(element_.settings, z, s, weight(place));
  }
  // Of the norm of a group.
  double prox_norm(std::int64_t block, double norm, double s) const {
    return norm * norms_.scale(groups_.settings, norm, s, group_weight(block));
  }
  // z, the elements of one block, becomes its prox.
  void prox_block(std::int64_t block, double* z, double s) const;
  // Of all of them.
  double value(const double* x) const;

 private:
  double weight(std::int64_t place) const { return weights_.empty() ? 1.0 : weights_[place]; }
  double group_weight(std::int64_t block) const {
    return norm_weights_.empty() ? 1.0 : norm_weights_[block];
  }
  double block_value(std::int64_t block, const double* x) const;
  void choose_columns(const Descent& descent);

  ElementPenalty element_;
  GroupPenalty groups_;
  ScalarPenalty elements_, norms_;
  std::vector<std::int64_t> starts_, columns_, chosen_;
  std::vector<double> weights_, norm_weights_;
};

}  // namespace proxstep::cpu
