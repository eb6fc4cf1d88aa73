// A small dense X with its means taken off and the roots of the samples' shares put on, in double,
// as one least-squares problem, or all that share X, see it: its Gram matrix, and products with
// targets. It is read by tiles of samples and never held as a whole.
#pragma once
#include <cstdint>
#include <vector>

#include "../../array.hpp"
#include "zeros.hpp"

namespace proxstep::cpu {

// The samples' shares, with sum 1, and whether means are taken off.
struct SampleShares {
  SampleShares(const double* given, std::int64_t n, bool intercept);  // null: equal ones

  // In place; what was taken off is returned.
  double centre(double* values) const;

  std::int64_t n;
  bool intercept;
  std::vector<double> shares, roots;
};

// Where tiles of samples are widened to.
class Tile {
 public:
  explicit Tile(std::int64_t p);
  SmallRows widen(const Array& X, std::int64_t begin, const double* means, const double* factors);

 private:
  std::int64_t width_, apart_;
  Zeros rows_;
};

// Targets, centred and shared out, and c = X'y.
struct Targets {
  Targets(const SampleShares& samples, std::int64_t width);
  void take(const SampleShares& samples, const double* given);

  double mean = 0.0, square = 0.0;  // square: of what is centred
  std::vector<double> y;
  Zeros c;
};

class Centred {
 public:
  Centred(const SampleShares& samples, std::int64_t p);
  // (n, p), in any strides; targets, if given, get their c, and `next` is read meanwhile.
  void take(const Array& X, Tile& tile, Targets* targets, const Array* next);
  void fill(Tile& tile, std::vector<Targets>& all) const;  // the c of targets

  std::int64_t width() const { return width_; }  // of the Gram matrix; what is behind p is 0
  const double* gram() const { return gram_.data(); }
  const double* means() const { return means_.data(); }
  const double* steps() const { return steps_.data(); }  // 1 / curvature, or 0
  double largest() const;                                // mean square of a column

 private:
  template <class Body>
  void for_tiles(Tile& tile, const double* means, const double* factors, const Body& body) const;
  void find_means(Tile& tile);
  void mirror();
  void find_steps();
  void still(std::int64_t column);
  void drop_still(Targets* targets) const;

  const SampleShares& samples_;
  Array X_;
  std::int64_t p_, width_;
  Zeros means_, gram_;
  std::vector<double> steps_;
};

}  // namespace proxstep::cpu
