// The quadratic model of the loss in the changes of chosen columns, with the intercept solved for:
//   r' X d + (1/2) d' X' H X d, minimised over a shift of all margins,
// r and h the first and second derivatives of the loss by the margins, both with the samples'
// shares. Two forms of one face: gradients from the samples, or from the Gram matrix.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "gram.hpp"

namespace proxstep::cpu {

// Derivatives of the loss at some margins.
struct Bend {
  std::vector<double> slope, bend;
  double slope_sum = 0.0, bend_sum = 0.0;
  bool flat = false;  // all second derivatives are the same
  bool intercept = false;

  // The mean of what has this first moment; 0 where nothing is centred.
  double mean(double first) const { return intercept && bend_sum > 0.0 ? first / bend_sum : 0.0; }
  // How far the margins shift when columns whose first moments are given change.
  double shift(double changed_moment) const { return -mean(slope_sum + changed_moment); }
};

// First moments and centred curvatures; columns that are constant have curvature 0.
class Curvature {
 public:
  Curvature(const Columns& columns, const Bend& bend);
  double first(std::int64_t k) const { return first_[k]; }
  double operator()(std::int64_t k) const { return curvature_[k]; }

 private:
  std::vector<double> first_, curvature_;
};

// Keeps what the margins' derivatives become, up to a shift.
class ColumnModel {
 public:
  ColumnModel(const Columns& columns, const Bend& bend, const Curvature& curvature);

  double curvature(std::int64_t k) const { return curvature_(k); }
  double gradient(std::int64_t k) const {
    return columns_.loops().dot(columns_[k], residual_.data()) + shift_ * curvature_.first(k);
  }
  void change(std::int64_t k, double d);
  // The same for some columns in a row.
  void gradients(std::int64_t first, std::int64_t count, double* to) const;
  void change_all(std::int64_t first, std::int64_t count, const double* d);
  // Epochs that Newton's step on so many elements costs: their Hessian is made of columns.
  static std::int64_t support_cost(std::int64_t size) { return size / 2; }
  // Between two columns, and between one and those before it from `first` on, with its own last.
  double hessian(std::int64_t j, std::int64_t k) const;
  void hessians(std::int64_t j, std::int64_t first, double* to) const;

  void save();     // the present state
  void restore();  // the saved one
  // The settled state, affine in x, where it costs less than an epoch: X is dense.
  const std::vector<double>* state() const { return columns_.sparse() ? nullptr : &residual_; }
  void take(const std::vector<double>& state) { residual_ = state; }
  // By how much the smooth part rose since it was saved.
  double rise(const std::vector<double>& changes) const;
  void settle();  // puts the shift into the residual

 private:
  const Columns& columns_;
  const Bend& bend_;
  const Curvature& curvature_;
  std::vector<double> residual_, saved_;
  double shift_ = 0.0;
};

// Keeps the gradients of all chosen columns.
class GramModel {
 public:
  // Of a curvature 0 on the diagonal a column does not move.
  GramModel(std::vector<double> gram, std::vector<double> gradient);
  GramModel(const double* gram, std::vector<double> gradient);  // lent
  GramModel(GramModel&&) = default;

  double curvature(std::int64_t k) const { return gram_[k * count_ + k]; }
  double gradient(std::int64_t k) const { return gradient_[k]; }
  void change(std::int64_t k, double d);
  void gradients(std::int64_t first, std::int64_t count, double* to) const {
    std::copy_n(gradient_.data() + first, count, to);
  }
  void change_all(std::int64_t first, std::int64_t count, const double* d);
  static std::int64_t support_cost(std::int64_t size) { return size / 4; }
  double hessian(std::int64_t j, std::int64_t k) const { return gram_[j * count_ + k]; }
  void hessians(std::int64_t j, std::int64_t first, double* to) const {
    std::copy_n(gram_ + j * count_ + first, j + 1 - first, to);
  }

  const std::vector<double>* state() const { return nullptr; }  // `change` costs little
  void take(const std::vector<double>& state) { gradient_ = state; }
  void save() { saved_ = gradient_; }
  void restore() { gradient_ = saved_; }
  double rise(const std::vector<double>& changes) const;
  void settle() {}

 private:
  std::int64_t count_;
  const double* gram_;
  std::vector<double> owned_, gradient_, saved_;
};

// Of columns whose second derivatives were just computed.
GramModel gram_model(const Columns& columns, const GramRows& rows, const Bend& bend,
                     const Curvature& curvature);

}  // namespace proxstep::cpu
