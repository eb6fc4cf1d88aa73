// Prox-Newton steps on chosen rows of x and the intercepts, with block coordinate descent inside.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "../../rows_descent.hpp"
#include "anderson.hpp"
#include "blocks.hpp"
#include "row_model.hpp"

namespace proxstep::cpu {

class RowNewton {
 public:
  explicit RowNewton(const RowsDescent& descent);
  RowsReport run();

 private:
  double minimise_model();
  double epoch();
  void move_block(std::int64_t first);
  bool move_row(std::int64_t j);
  void note(std::int64_t j, bool moved);
  void find_target(std::int64_t j, const double* h, const double* g);
  void try_candidate();
  bool search(double* value);
  void finish();

  double* row(std::int64_t j) { return x_.data() + j * model_.outputs(); }
  double* intercepts() { return row(descent_.count); }
  double tolerance() const;

  const RowsDescent& descent_;
  Blocks blocks_;
  std::unique_ptr<RowModel> owned_;
  RowModel& model_;
  Anderson anderson_;
  RowsReport report_;
  std::vector<double> x_, start_, first_;  // rows, then the change of the intercepts
  std::vector<double> d_, target_;
  double estimate_ = 0.0;  // of the suboptimality, at the start of a model
  double largest_ = 0.0, largest_step_ = 0.0, size_ = 0.0;
};

}  // namespace proxstep::cpu
