// The quadratic model of a loss of several outputs, in the changes of chosen rows of x and of the
// intercepts. Dense columns are centred by their means; sparse ones are not.
#pragma once
#include <cstdint>
#include <vector>

#include "../../rows_descent.hpp"
#include "columns.hpp"
#include "row_kernels.hpp"

namespace proxstep::cpu {

class RowModel {
 public:
  explicit RowModel(const RowsDescent& descent);

  std::int64_t outputs() const { return descent_.outputs; }
  std::int64_t width() const { return width_; }
  // The loss at these margins, n x outputs; with `take` the model is made there.
  double evaluate(const double* margins, bool take);

  // Of the k-th chosen row, width long. Steps by the curvatures never raise the model.
  void gradient(std::int64_t k, double* g) const;
  const double* curvature(std::int64_t k) const { return curvature_.data() + k * width_; }
  void change(std::int64_t k, const double* d);
  // Moves the intercepts to their best values, and adds the change to b.
  void settle(double* b);

  // What the margins change by when the rows and the intercepts do; n x outputs.
  std::vector<double> margins_change(const std::vector<double>& changes, const double* b) const;
  double slope(const std::vector<double>& margins_change) const;  // of the residual along it
  void apply(const std::vector<double>& margins_change);          // the residual follows
  void save() { saved_ = residual_; }
  void restore() { residual_ = saved_; }
  // By how much the model rose since it was saved, along this change.
  double rise(const std::vector<double>& margins_change) const;

 private:
  SampleRows at();
  double centre(std::int64_t k) const;
  void take_derivatives();
  void take_sample(std::int64_t i);
  void find_curvatures();
  void find_intercept_hessian();

  const RowsDescent& descent_;
  Columns columns_;
  const RowLoops* loops_;
  std::int64_t width_;
  std::vector<double> shares_, ones_;
  std::vector<double> gradients_;  // by the margins, n x outputs
  std::vector<double> residual_;   // n x width, as all below
  std::vector<double> saved_, p_, bend_, curvature_;
  std::vector<double> intercept_factor_;  // Cholesky's, outputs x outputs
};

}  // namespace proxstep::cpu
