// Blocks of rows of x over tiles of samples. A step on a block adds what the last block moved to
// the residual and finds the gradients of the next; within a block they follow by a bound on its
// part of the Hessian, exactly so for the square.
#pragma once
#include "row_model.hpp"

namespace proxstep::cpu {

class DenseRows final : public RowModel {
 public:
  explicit DenseRows(const RowsDescent& descent);

  std::int64_t block_rows() const override { return kBlockRows; }
  void enter(std::int64_t first) override;
  const double* gradient(std::int64_t k) const override { return &g_[k % kBlockRows * outputs()]; }
  const double* curvature(std::int64_t k) const override { return &curvature_[k * outputs()]; }
  void change(std::int64_t k, const double* d) override;
  void save() override;
  void restore() override { residual_ = saved_; }
  double apply(const std::vector<double>& margins_change) override;

 private:
  void take_derivatives() override;
  void add_up(double* sums) override;
  void shift(const double* d) override;
  void multiply(const double* changes, double* margins) const override;
  void find_curvatures();
  RowBlock ones() const;
  RowBlock block(std::int64_t first) const;
  void step(const RowBlock& wanted, double* g);
  std::int64_t tiles_at_once() const;
  std::int64_t place(std::int64_t i) const {
    return i / kTileSamples * kTileSamples * outputs() + i % kTileSamples;
  }
  void to_tiles(const double* rows, std::int64_t apart, double* tiles) const;
  SampleRows at() {
    const double* p = descent_.softmax ? p_tiles_.data() : nullptr;
    return {outputs(), padded_shares_.data(), p, kRidge, residual_.data()};
  }

  const TileLoops& loops_;
  std::int64_t tiles_, bends_;  // bends: outputs whose bounds differ
  std::vector<double> padded_shares_;
  std::vector<double> residual_, saved_, p_tiles_;  // tiles x outputs x kTileSamples
  std::vector<double> bend_;                        // tiles x bends x kTileSamples
  std::vector<double> hessian_, curvature_;         // blocks x kPairs x bends, rows x outputs
  RowBlock entered_;
  std::vector<double> d_, g_;  // kBlockRows x outputs: its changes, which the residual lacks
};

}  // namespace proxstep::cpu
