#include "many.hpp"

#include <algorithm>
#include <numeric>

#include "../../descent.hpp"
#include "../pool.hpp"
#include "small_fit.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kFitsAtOnce = 16, kSlab = 256;  // of the pool, and between two looks at signals
constexpr double kTaskWork = 1 << 22, kSlabWork = 1 << 26;  // the same in products of numbers
constexpr double kEpochs = 32.0;                            // of a fit, about

// (n, p), of one fit or of all.
Array matrix_of(const Array& X, int64_t fit) {
  if (X.ndim == 2) return X;
  Array one = X;
  one.ndim = 2;
  std::copy_n(X.shape + 1, 2, one.shape);
  std::copy_n(X.strides + 1, 2, one.strides);
  one.data = static_cast<char*>(X.data) + fit * X.strides[0] * itemsize(X.dtype);
  return one;
}

// Of all elements: the penalty is the same for every fit.
Blocks blocks_of(const ManyRun& run, int64_t p) {
  std::vector<int64_t> all(p);
  std::iota(all.begin(), all.end(), 0);
  Descent descent;
  descent.X.p = p;
  descent.blocks = all.data();
  descent.count = p;
  descent.element = run.element;
  return Blocks(descent);
}

}  // namespace

// What a thread needs for a few fits.
class ManyFits::Part {
 public:
  Part(const ManyFits& all, const ManyRun& run, const Blocks& blocks)
      : all_(all),
        tile_(all.p_),
        worker_(run, blocks, all.p_, all.squares_.X.dtype == DType::float32) {}

  void solve(const std::int64_t* fits, int64_t count) {
    all_.shared_ ? solve_shared(fits, count) : solve_own(fits, count);
  }

 private:
  Targets targets() const { return Targets(all_.samples_, whole_lines(all_.p_)); }
  void take(Targets& targets, int64_t fit) const {
    targets.take(all_.samples_, all_.squares_.Y + fit * all_.samples_.n);
  }

  void solve_shared(const int64_t* fits, int64_t count) {
    std::vector<Targets> each;
    for (int64_t k = 0; k < count; ++k) {
      each.push_back(targets());
      take(each.back(), fits[k]);
    }
    all_.shared_->fill(tile_, each);
    for (int64_t k = 0; k < count; ++k) worker_.run(*all_.shared_, each[k], fits[k]);
  }

  void solve_own(const int64_t* fits, int64_t count) {
    Centred X(all_.samples_, all_.p_);
    Targets own = targets();
    for (int64_t k = 0; k < count; ++k) {
      take(own, fits[k]);
      const Array next = matrix_of(all_.squares_.X, fits[std::min(k + 1, count - 1)]);
      X.take(matrix_of(all_.squares_.X, fits[k]), tile_, &own, k + 1 < count ? &next : nullptr);
      worker_.run(X, own, fits[k]);
    }
  }

  const ManyFits& all_;
  Tile tile_;
  FitWorker worker_;
};

ManyFits::ManyFits(const ManySquares& squares)
    : squares_(squares),
      samples_(squares.shares, squares.X.shape[squares.X.ndim - 2], squares.intercept),
      p_(squares.X.shape[squares.X.ndim - 1]) {
  if (squares.X.ndim != 2) return;
  Tile tile(p_);
  shared_.emplace(samples_, p_);
  shared_->take(squares.X, tile, nullptr, nullptr);
}

void ManyFits::run(const ManyRun& run) const {
  const Blocks blocks = blocks_of(run, p_);
  parallel_for(run.count, fits_of(kTaskWork, kFitsAtOnce),
               [&](int64_t begin, int64_t end, int64_t) {
                 Part(*this, run, blocks).solve(run.fits + begin, end - begin);
               });
}

int64_t ManyFits::slab() const { return num_threads() * fits_of(kSlabWork, kSlab); }

// So many that they take that many products, within bounds.
int64_t ManyFits::fits_of(double work, int64_t most) const {
  const double n = double(samples_.n), p = double(p_);
  const double each = (shared_ ? n * p : 0.5 * n * p * p) + kEpochs * p * p + 1.0;
  return std::max<int64_t>(1, static_cast<int64_t>(std::min(work / each, double(most))));
}

}  // namespace proxstep::cpu
