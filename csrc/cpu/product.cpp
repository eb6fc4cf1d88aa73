#include "product.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels.hpp"
#include "line_kernels.hpp"
#include "nonzeros.hpp"
#include "pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kWork = 1 << 16;   // multiplications of a chunk; some 20 us of one thread
constexpr int64_t kBlock = 128;      // dense lines of a task, where there are several outputs
constexpr int64_t kPiece = 512;      // positions that pay for sums of their own
constexpr int64_t kVectors = 64;     // positions that dense loops take without a rest
constexpr int64_t kTasks = 8;        // enough for the threads to share
constexpr int64_t kNear = 1 << 14;   // bytes of sums that dense lines add to at a time
constexpr int64_t kFar = 1 << 18;    // the same of sparse lines, searched for each stretch,
constexpr int64_t kCache = 1 << 22;  // where all the sums are more bytes than this
constexpr int64_t kSearch = 16;      // elements that pay for a search

bool lines_are_columns(const Matrix& X) {
  return X.layout == Matrix::Layout::columns || X.layout == Matrix::Layout::csc;
}
int64_t line_length(const Matrix& X) { return lines_are_columns(X) ? X.n : X.p; }

int64_t stored(const Matrix& X) {
  if (!X.sparse()) return X.n * X.p;
  const int64_t lines = lines_are_columns(X) ? X.p : X.n;
  return X.index == DType::int64 ? static_cast<const int64_t*>(X.starts)[lines]
                                 : static_cast<const std::int32_t*>(X.starts)[lines];
}

const LineKernels& kernels(const LineJob& job) {
  const Matrix& X = *job.matrix;
  const int narrow = X.dtype == DType::float32;
  if (X.sparse()) return tables().line->sparse[narrow][X.index == DType::int64];
  return (job.positions ? tables().line->chosen : tables().line->dense)[narrow];
}

// Multiplications that one line takes, on average.
int64_t line_work(const LineJob& job) {
  const Matrix& X = *job.matrix;
  const int64_t lines = std::max<int64_t>(1, lines_are_columns(X) ? X.p : X.n);
  return std::max<int64_t>(1, job.outputs * (X.sparse() ? stored(X) / lines : job.count));
}

LineJob job_of(const Matrix& X, int64_t outputs, const double* from, double* to) {
  LineJob job{};
  job.matrix = &X;
  job.length = job.count = line_length(X);
  job.outputs = outputs;
  job.from = from;
  job.to = to;
  return job;
}

void dot_lines(const LineJob& job, int64_t lines) {
  const auto dot = kernels(job).dot;
  parallel_for(lines, std::max<int64_t>(1, kWork / line_work(job)),
               [&](int64_t begin, int64_t end, int64_t) { dot(job, begin, end); });
}

// Piece after piece, so that the order of additions is that of the lines.
void add_pieces(const std::vector<double>& parts, int64_t size, double* to) {
  parallel_for(size, kWork, [&](int64_t begin, int64_t end, int64_t) {
    for (auto part = parts.begin(); part != parts.end(); part += size) {
      for (int64_t e = begin; e < end; ++e) to[e] += part[e];
    }
  });
}

// Dense lines with several outputs, some lines a task; of a few lines, pieces of the positions.
void dot_blocks(const LineJob& job, int64_t lines) {
  const auto dot = tables().line->block_dot[job.matrix->dtype == DType::float32];
  const int64_t blocks = (lines + kBlock - 1) / kBlock, size = lines * job.outputs;
  const int64_t worth = std::min(job.count / kPiece, lines * line_work(job) / kWork);
  const int64_t pieces =
      std::clamp<int64_t>(kTasks / std::max<int64_t>(1, blocks), 1, std::max<int64_t>(1, worth));
  const int64_t piece = (job.count + pieces - 1) / pieces;
  std::fill_n(job.to, size, 0.0);
  std::vector<double> parts(pieces > 1 ? pieces * size : 0);
  parallel_for(blocks * pieces, 1, [&](int64_t task, int64_t, int64_t) {
    const int64_t k = task / blocks, begin = task % blocks * kBlock;
    const std::unique_ptr<double[]> turned(new double[kTurned * job.outputs]);
    LineJob own = job;
    if (!parts.empty()) own.to = parts.data() + k * size;
    dot(own, begin, std::min(lines, begin + kBlock), std::min(job.count, k * piece),
        std::min(job.count, (k + 1) * piece), turned.get());
  });
  if (!parts.empty()) add_pieces(parts, size, job.to);
}

void dot_all(const LineJob& job, int64_t lines) {
  const bool block = !job.matrix->sparse() && !job.positions && job.outputs > 1;
  block ? dot_blocks(job, lines) : dot_lines(job, lines);
}

// Stretches of positions, and pieces of lines that add to sums of their own.
struct AddPlan {
  AddPlan(const LineJob& job, int64_t lines) {
    const bool sparse = job.matrix->sparse();
    const int64_t one = line_work(job), work = lines * one, sums = job.count * job.outputs;
    const int64_t most =
        sparse ? one / (kSearch * job.outputs) : (job.count + kVectors - 1) / kVectors;
    const int64_t wanted = !sparse ? 8 * sums / kNear : 8 * sums > kCache ? 8 * sums / kFar : 1;
    blocks = work < 2 * kWork ? 1 : std::max<int64_t>(1, std::min(wanted, most));
    block = (job.count + blocks - 1) / blocks;
    if (!sparse) block = (block + kVectors - 1) / kVectors * kVectors;
    // Adding the pieces up is work, too.
    const int64_t worth = std::min(work / kWork, work / (4 * std::max<int64_t>(1, sums)));
    pieces = std::max<int64_t>(1, std::min(worth, kTasks / blocks));
    piece = (lines + pieces - 1) / pieces;
  }
  int64_t blocks, block, pieces, piece;
};

void add_lines(const LineJob& job, int64_t lines) {
  if (lines == 0 || job.count == 0) return;
  const auto add = kernels(job).add;
  const AddPlan plan(job, lines);
  const int64_t size = job.count * job.outputs;
  std::vector<double> parts(plan.pieces > 1 ? plan.pieces * size : 0);
  parallel_for(plan.blocks * plan.pieces, 1, [&](int64_t task, int64_t, int64_t) {
    const int64_t piece = task / plan.blocks, begin = std::min(lines, piece * plan.piece);
    const int64_t first = std::min(job.count, task % plan.blocks * plan.block);
    LineJob own = job;
    if (!parts.empty()) own.to = parts.data() + piece * size;
    add(own, begin, std::min(lines, begin + plan.piece), first,
        std::min(job.count, first + plan.block));
  });
  if (!parts.empty()) add_pieces(parts, size, job.to);
}

void add_nonzero_lines(LineJob job, Chosen of) {
  const Nonzeros rows(of, job.outputs, job.from);
  job.lines = rows.index();
  job.from = rows.values();
  add_lines(job, rows.count());
}

// Each row of X with x. A few columns of a dense row are picked; otherwise whole rows are read.
void add_row_products(const Matrix& X, const Nonzeros& x, int64_t outputs, double* margins) {
  std::vector<double> products(X.n * outputs), all;
  LineJob job = job_of(X, outputs, x.values(), products.data());
  if (!X.sparse() && x.count() < X.p / 8) {
    job.positions = x.index();
    job.count = x.count();
  } else if (x.index()) {
    all = spread_out(x, outputs, X.p);
    job.from = all.data();
  }
  dot_all(job, X.n);
  for (std::size_t e = 0; e < products.size(); ++e) margins[e] += products[e];
}

// X' residual where the lines are rows.
void add_rows(const Matrix& X, Chosen columns, int64_t outputs, const double* residual,
              double* out) {
  const bool picks = columns.index && !X.sparse();
  std::vector<double> all(columns.index && X.sparse() ? X.p * outputs : 0);
  LineJob job = job_of(X, outputs, residual, all.empty() ? out : all.data());
  if (picks) job.positions = columns.index, job.count = columns.count;
  std::fill_n(out, columns.count * outputs, 0.0);
  add_nonzero_lines(job, {nullptr, X.n});
  for (int64_t k = 0; k < columns.count && !all.empty(); ++k) {
    std::copy_n(&all[columns.index[k] * outputs], outputs, out + k * outputs);
  }
}

int64_t column_of(Chosen columns, int64_t k) { return columns.index ? columns.index[k] : k; }

// The rows of chosen columns times the columns' factors.
void multiply_by_factors(const Matrix& X, Chosen columns, int64_t outputs, double* rows) {
  for (int64_t k = 0; k < columns.count; ++k) {
    const double factor = X.factor(column_of(columns, k));
    for (int64_t c = 0; c < outputs; ++c) rows[k * outputs + c] *= factor;
  }
}

void plain_adjoint(const Matrix& X, Chosen columns, int64_t outputs, const double* residual,
                   double* out) {
  if (!lines_are_columns(X)) return add_rows(X, columns, outputs, residual, out);
  LineJob job = job_of(X, outputs, residual, out);
  job.lines = columns.index;
  dot_all(job, columns.count);
}

void add_plain_product(const Matrix& X, Chosen columns, int64_t outputs, const double* x,
                       double* margins) {
  if (lines_are_columns(X)) {
    return add_nonzero_lines(job_of(X, outputs, x, margins), columns);
  }
  const Nonzeros nonzeros(columns, outputs, x);
  if (nonzeros.count()) add_row_products(X, nonzeros, outputs, margins);
}

}  // namespace

void adjoint(const Matrix& X, Chosen columns, int64_t outputs, const double* residual,
             double* out) {
  if (outputs == 0) return;
  plain_adjoint(X, columns, outputs, residual, out);
  if (X.factors) multiply_by_factors(X, columns, outputs, out);
}

void add_product(const Matrix& X, Chosen columns, int64_t outputs, const double* x,
                 double* margins) {
  if (outputs == 0) return;
  if (!X.factors) return add_plain_product(X, columns, outputs, x, margins);
  std::vector<double> scaled(x, x + columns.count * outputs);
  multiply_by_factors(X, columns, outputs, scaled.data());
  add_plain_product(X, columns, outputs, scaled.data(), margins);
}

}  // namespace proxstep::cpu
