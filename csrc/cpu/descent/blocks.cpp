#include "blocks.hpp"

#include <cmath>
#include <utility>

#include "../../op/group.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

template <template <class> class Penalty>
constexpr ScalarPenalty scalar() {
  using P = Penalty<double>;
  return {[](const double* c, double z, double s, double w) {
            return op::weighted_prox(P(c), z, s, w);
          },
          [](const double* c, double x, double w) { return op::weighted_value(P(c), x, w); },
          [](const double* c, double norm, double s, double w) {
            return op::group_scale(P(c), norm, s, w);
          },
          [](const double* c, double r) { return P(c).slope(r); }, P::convex};
}

template <template <class> class... Ps>
ScalarPenalty scalar_penalty(op::List<Ps...>, int kind) {
  static constexpr ScalarPenalty all[] = {scalar<Ps>()...};
  return all[kind];
}

double norm_of(const double* x, int64_t n) {
  double square = 0.0;
  for (int64_t i = 0; i < n; ++i) square += x[i] * x[i];
  return std::sqrt(square);
}

std::vector<double> chosen_of(const void* weights, const std::vector<int64_t>& chosen) {
  std::vector<double> of;
  for (std::size_t k = 0; weights && k < chosen.size(); ++k) {
    of.push_back(static_cast<const double*>(weights)[chosen[k]]);
  }
  return of;
}

}  // namespace

Blocks::Blocks(const Descent& descent)
    : element_(descent.element),
      groups_(descent.groups),
      elements_(scalar_penalty(op::Penalties{}, element_.kind)),
      norms_(scalar_penalty(op::Penalties{}, groups_.kind)),
      chosen_(descent.blocks, descent.blocks + descent.count) {
  choose_columns(descent);
  weights_ = chosen_of(element_.weights, columns_);
  norm_weights_ = chosen_of(groups_.weights, chosen_);
}

void Blocks::choose_columns(const Descent& descent) {
  starts_.push_back(0);
  for (const int64_t block : chosen_) {
    const bool ragged = groups_.offsets != nullptr;
    const int64_t length = single() ? 1 : groups_.length;
    const int64_t first = ragged ? groups_.offsets[block] : block * length;
    const int64_t last = ragged ? groups_.offsets[block + 1] : first + length;
    for (int64_t j = first; j < std::min(last, descent.X.p); ++j) columns_.push_back(j);
    starts_.push_back(static_cast<int64_t>(columns_.size()));
  }
}

// Zou and Li, One-step sparse estimates in nonconcave penalized likelihood models, 2008.
Blocks Blocks::lines_at(const double* x) const {
  const double* settings = single() ? element_.settings : groups_.settings;
  const ScalarPenalty& penalty = single() ? elements_ : norms_;
  std::vector<double> slopes;
  for (int64_t b = 0; b < count(); ++b) {
    const double w = single() ? weight(b) : group_weight(b);
    const double slope = penalty.slope(settings, norm_of(x + begin(b), size(b)));
    slopes.push_back(std::isinf(w) ? w : w * slope);
  }
  Blocks lines = *this;
  (single() ? lines.elements_ : lines.norms_) = scalar<op::L1>();
  (single() ? lines.element_.settings : lines.groups_.settings)[0] = 1.0;
  (single() ? lines.weights_ : lines.norm_weights_) = std::move(slopes);
  return lines;
}

void Blocks::prox_block(int64_t block, double* z, double s) const {
  const int64_t n = size(block);
  for (int64_t i = 0; i < n; ++i) z[i] = prox(begin(block) + i, z[i], s);
  if (single()) return;
  const double scale = norms_.scale(groups_.settings, norm_of(z, n), s, group_weight(block));
  for (int64_t i = 0; i < n; ++i) z[i] *= scale;
}

double Blocks::block_value(int64_t block, const double* x) const {
  double total = 0.0;
  for (int64_t i = 0; i < size(block); ++i) {
    total += elements_.value(element_.settings, x[i], weight(begin(block) + i));
  }
  if (single()) return total;
  const double norm = norm_of(x, size(block));
  return total + norms_.value(groups_.settings, norm, group_weight(block));
}

double Blocks::value(const double* x) const {
  double total = 0.0;
  for (int64_t b = 0; b < count(); ++b) total += block_value(b, x + begin(b));
  return total;
}

}  // namespace proxstep::cpu
