// The quadratic model of a loss of several outputs, in the changes of chosen rows of x and of the
// intercepts. How the samples are kept is for sparse and dense X to say.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "../../rows_descent.hpp"
#include "columns.hpp"
#include "row_kernels.hpp"

namespace proxstep::cpu {

class RowModel {
 public:
  explicit RowModel(const RowsDescent& descent);
  virtual ~RowModel() = default;

  std::int64_t outputs() const { return descent_.outputs; }
  // The loss at these margins, n x outputs.
  double evaluate(const double* margins);
  // Makes the model where the loss was last evaluated.
  void take();

  // Rows come in blocks of so many. When one is entered its gradients are found, and follow when
  // one of its rows changes. Steps by the curvatures never raise the model.
  virtual std::int64_t block_rows() const = 0;
  virtual void enter(std::int64_t first) = 0;
  virtual const double* gradient(std::int64_t k) const = 0;
  virtual const double* curvature(std::int64_t k) const = 0;
  virtual void change(std::int64_t k, const double* d) = 0;
  // Moves the intercepts to their best values, and adds the change to b.
  void settle(double* b);

  // What the margins change by when the rows and the intercepts do; n x outputs.
  std::vector<double> margins_change(const std::vector<double>& changes, const double* b) const;
  double slope(const std::vector<double>& margins_change) const;  // of the residual along it
  virtual void save() = 0;
  // The residual follows a change of the margins. Returns by how much the model rose since it was
  // saved, where this is all that changed.
  virtual double apply(const std::vector<double>& margins_change) = 0;
  virtual void restore() = 0;

 protected:
  virtual void take_derivatives() = 0;      // gradients_ and p_, of all samples
  virtual void add_up(double* sums) = 0;    // of the residual, over the samples
  virtual void shift(const double* d) = 0;  // all margins
  // The product of the chosen columns, dense ones centred, with changes of their rows.
  virtual void multiply(const double* changes, double* margins) const = 0;
  void find_bend(std::int64_t i, double* bend) const;  // a bound on the Hessian of a sample

  const RowsDescent& descent_;
  Columns columns_;
  std::int64_t width_;  // outputs, padded
  std::vector<double> shares_;
  std::vector<double> gradients_;  // by the margins, n x outputs, where last evaluated
  std::vector<double> p_;          // of the softmax, n x width

 private:
  void find_probabilities(std::int64_t i);
  void find_intercept_hessian();
  std::vector<double> intercept_factor_;  // Cholesky's, outputs x outputs
};

constexpr double kRidge = 1e-6;  // of saturated samples, so that steps stay bounded
constexpr std::int64_t kSamplesAtOnce = 1 << 11;  // of the pool

std::unique_ptr<RowModel> dense_rows(const RowsDescent& descent);
std::unique_ptr<RowModel> sparse_rows(const RowsDescent& descent);

}  // namespace proxstep::cpu
