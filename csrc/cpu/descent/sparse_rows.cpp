// Rows of x one by one, over the samples of their sparse columns, which are not centred.
#include <algorithm>

#include "../kernels.hpp"
#include "../pool.hpp"
#include "../product.hpp"
#include "row_model.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kColumnsAtOnce = 8;

const RowLoops& loops_for(const Matrix& X) {
  return tables().row->sparse[X.dtype == DType::float32][X.index == DType::int64];
}

class SparseRows final : public RowModel {
 public:
  explicit SparseRows(const RowsDescent& descent)
      : RowModel(descent),
        loops_(loops_for(descent.X)),
        residual_(descent.X.n * width_, 0.0),
        bend_(residual_.size()),
        curvature_(descent.count * width_),
        g_(width_),
        ones_(descent.means ? descent.X.n : 0, 1.0) {}

  int64_t block_rows() const override { return 1; }
  void enter(int64_t k) override {
    loops_.gradient(columns_[k], width_, residual_.data(), g_.data());
  }
  const double* gradient(int64_t) const override { return g_.data(); }
  const double* curvature(int64_t k) const override { return curvature_.data() + k * width_; }
  void change(int64_t k, const double* d) override { loops_.change(columns_[k], at(), d); }
  void save() override { saved_ = residual_; }
  void restore() override { residual_ = saved_; }
  double apply(const std::vector<double>& margins_change) override;

 private:
  void take_derivatives() override;
  void add_up(double* sums) override {
    tables().row->ones.gradient(ones(), width_, residual_.data(), sums);
  }
  void shift(const double* d) override { tables().row->ones.change(ones(), at(), d); }
  void multiply(const double* changes, double* margins) const override {
    add_product(descent_.X, {descent_.rows, descent_.count}, outputs(), changes, margins);
  }
  Column ones() const { return {ones_.data(), nullptr, descent_.X.n}; }
  SampleRows at(int64_t i = 0) {
    const double* p = descent_.softmax ? &p_[i * width_] : nullptr;
    return {width_, &shares_[i], p, kRidge, &residual_[i * width_]};
  }

  const RowLoops& loops_;
  std::vector<double> residual_, saved_, bend_, curvature_, g_, ones_;
};

void SparseRows::take_derivatives() {
  parallel_for(descent_.X.n, kSamplesAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(&gradients_[i * outputs()], outputs(), &residual_[i * width_]);
      find_bend(i, &bend_[i * width_]);
    }
  });
  parallel_for(columns_.count(), kColumnsAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t k = begin; k < end; ++k) {
      loops_.curvature(columns_[k], width_, bend_.data(), &curvature_[k * width_]);
    }
  });
}

double SparseRows::apply(const std::vector<double>& change) {
  const int64_t k = outputs();
  parallel_for(descent_.X.n, kSamplesAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    std::vector<double> d(width_);
    const double one = 1.0;
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(&change[i * k], k, d.data());
      tables().row->ones.change({&one, nullptr, 1}, at(i), d.data());
    }
  });
  double total = 0.0;
  for (int64_t i = 0; i < descent_.X.n; ++i) {
    for (int64_t c = 0; c < k; ++c) {
      total += change[i * k + c] * (residual_[i * width_ + c] + saved_[i * width_ + c]);
    }
  }
  return 0.5 * total;
}

}  // namespace

std::unique_ptr<RowModel> sparse_rows(const RowsDescent& descent) {
  return std::make_unique<SparseRows>(descent);
}

}  // namespace proxstep::cpu
