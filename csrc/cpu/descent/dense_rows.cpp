#include "dense_rows.hpp"

#include <algorithm>

#include "../kernels.hpp"
#include "../pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kWork = 1 << 19;       // multiplications of a chunk of tiles
constexpr int64_t kTilesOfProduct = 16;  // that stay in the cache

int64_t pair(int64_t j, int64_t k) { return j < k ? k * (k + 1) / 2 + j : j * (j + 1) / 2 + k; }

// The rows of a block that changed, for a step.
struct Moved {
  Moved(const RowBlock& block, const double* d, int64_t outputs) : change(kBlockRows * outputs) {
    for (int64_t j = 0; j < block.count; ++j, d += outputs) {
      if (std::all_of(d, d + outputs, [](double value) { return value == 0.0; })) continue;
      std::copy_n(d, outputs, &change[rows.count * outputs]);
      rows.columns[rows.count] = block.columns[j];
      rows.centres[rows.count++] = block.centres[j];
    }
  }
  RowBlock rows;
  std::vector<double> change;
};

}  // namespace

DenseRows::DenseRows(const RowsDescent& descent)
    : RowModel(descent),
      loops_(tables().row->dense[descent.X.dtype == DType::float32]),
      tiles_((descent.X.n + kTileSamples - 1) / kTileSamples),
      bends_(descent.softmax ? descent.outputs : 1),
      padded_shares_(shares_),
      residual_(tiles_ * kTileSamples * descent.outputs),
      p_tiles_(descent.softmax ? residual_.size() : 0),
      bend_(tiles_ * kTileSamples * bends_),
      hessian_((descent.count + kBlockRows - 1) / kBlockRows * kPairs * bends_),
      curvature_(descent.count * descent.outputs),
      d_(kBlockRows * descent.outputs),
      g_(kBlockRows * descent.outputs) {
  padded_shares_.resize(tiles_ * kTileSamples);
  if (!descent.softmax) find_curvatures();
}

void DenseRows::to_tiles(const double* rows, int64_t apart, double* tiles) const {
  parallel_for(descent_.X.n, kSamplesAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) {
      double* to = tiles + place(i);
      for (int64_t c = 0; c < outputs(); ++c) to[c * kTileSamples] = rows[i * apart + c];
    }
  });
}

void DenseRows::take_derivatives() {
  entered_.count = 0;
  to_tiles(gradients_.data(), outputs(), residual_.data());
  if (!descent_.softmax) return;
  to_tiles(p_.data(), width_, p_tiles_.data());
  find_curvatures();
}

void DenseRows::find_curvatures() {
  parallel_for(descent_.X.n, kSamplesAtOnce, [&](int64_t begin, int64_t end, int64_t) {
    std::vector<double> bend(outputs());
    for (int64_t i = begin; i < end; ++i) {
      find_bend(i, bend.data());
      double* to = &bend_[i / kTileSamples * kTileSamples * bends_ + i % kTileSamples];
      for (int64_t c = 0; c < bends_; ++c) to[c * kTileSamples] = bend[c];
    }
  });
  const int64_t size = kPairs * bends_;
  parallel_for(descent_.count, kBlockRows, [&](int64_t begin, int64_t end, int64_t b) {
    std::vector<double> scratch(kCurvatureScratch * bends_);
    double* h = &hessian_[b * size];
    loops_.curvature(block(begin), bends_, bend_.data(), tiles_, scratch.data(), h);
    for (int64_t k = begin; k < end; ++k) {
      const double* own = h + pair(k - begin, k - begin) * bends_;
      for (int64_t c = 0; c < outputs(); ++c) {
        curvature_[k * outputs() + c] = own[bends_ > 1 ? c : 0];
      }
    }
  });
}

RowBlock DenseRows::block(int64_t first) const {
  RowBlock block;
  for (int64_t k = first; k < std::min(first + kBlockRows, descent_.count); ++k) {
    block.columns[block.count] = columns_[k];
    block.centres[block.count++] = descent_.means ? descent_.means[descent_.rows[k]] : 0.0;
  }
  return block;
}

RowBlock DenseRows::ones() const {
  RowBlock block;
  block.columns[block.count++].count = descent_.X.n;
  return block;
}

void DenseRows::enter(int64_t first) {
  const RowBlock wanted = block(first);
  step(wanted, g_.data());
  entered_ = wanted;
}

void DenseRows::change(int64_t k, const double* d) {
  const int64_t within = k % kBlockRows, of_class = bends_ > 1;
  const double* h = &hessian_[k / kBlockRows * kPairs * bends_];
  for (int64_t j = 0; j < entered_.count; ++j) {
    const double* bend = h + pair(j, within) * bends_;
    double* g = &g_[j * outputs()];
    for (int64_t c = 0; c < outputs(); ++c) g[c] += bend[c * of_class] * d[c];
  }
  for (int64_t c = 0; c < outputs(); ++c) d_[within * outputs() + c] += d[c];
}

int64_t DenseRows::tiles_at_once() const {
  return std::max<int64_t>(1, kWork / (2 * kBlockRows * kTileSamples * outputs()));
}

void DenseRows::step(const RowBlock& wanted, double* g) {
  const int64_t size = wanted.count * outputs(), chunk = tiles_at_once();
  std::vector<double> sums((tiles_ + chunk - 1) / chunk * size);
  const Moved moved(entered_, d_.data(), outputs());
  const BlockStep what{moved.rows, moved.change.data(), wanted};
  parallel_for(tiles_, chunk, [&](int64_t begin, int64_t end, int64_t part) {
    std::vector<double> scratch(kStepScratch * outputs());
    loops_.step(what, at(), begin, end, scratch.data(), sums.data() + part * size);
  });
  std::fill_n(g, size, 0.0);
  for (std::size_t e = 0; e < sums.size(); ++e) g[e % size] += sums[e];
  entered_.count = 0;
  std::fill(d_.begin(), d_.end(), 0.0);
}

void DenseRows::add_up(double* sums) { step(ones(), sums); }

void DenseRows::shift(const double* d) {
  entered_ = ones();
  std::copy_n(d, outputs(), d_.data());
}

// As the residual of a loss whose Hessian is one follows.
void DenseRows::multiply(const double* changes, double* margins) const {
  const std::vector<double> ones(padded_shares_.size(), 1.0);
  std::vector<double> u(residual_.size());
  const SampleRows plain{outputs(), ones.data(), nullptr, 0.0, u.data()};
  parallel_for(tiles_, kTilesOfProduct, [&](int64_t begin, int64_t end, int64_t) {
    std::vector<double> scratch(kStepScratch * outputs());
    for (int64_t k = 0; k < descent_.count; k += kBlockRows) {
      const Moved moved(block(k), changes + k * outputs(), outputs());
      const BlockStep what{moved.rows, moved.change.data(), {}};
      loops_.step(what, plain, begin, end, scratch.data(), nullptr);
    }
  });
  for (int64_t i = 0; i < descent_.X.n; ++i) {
    const double* from = &u[place(i)];
    for (int64_t c = 0; c < outputs(); ++c) margins[i * outputs() + c] = from[c * kTileSamples];
  }
}

void DenseRows::save() {
  step({}, nullptr);  // what is still to follow
  saved_ = residual_;
}

double DenseRows::apply(const std::vector<double>& change) {
  std::vector<double> u(residual_.size());
  to_tiles(change.data(), outputs(), u.data());
  parallel_for(tiles_, tiles_at_once(), [&](int64_t begin, int64_t end, int64_t) {
    tables().row->follow(at(), u.data(), begin, end);
  });
  double total = 0.0;
  for (std::size_t e = 0; e < u.size(); ++e) total += u[e] * (residual_[e] + saved_[e]);
  return 0.5 * total;
}

std::unique_ptr<RowModel> dense_rows(const RowsDescent& descent) {
  return std::make_unique<DenseRows>(descent);
}

}  // namespace proxstep::cpu
