// Which form of coordinate descent serves: on a lasting Gram matrix, or by prox-Newton steps.
#include <algorithm>
#include <utility>

#include "gram.hpp"
#include "gram_cache.hpp"
#include "newton.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kMostNew = 320;  // rows of a Gram matrix that cost as much as 20 epochs

bool is_all(const std::vector<int64_t>& columns, int64_t p) {
  if (static_cast<int64_t>(columns.size()) != p) return false;
  for (int64_t k = 0; k < p; ++k) {
    if (columns[k] != k) return false;
  }
  return true;
}

GramModel model_of(const Descent& descent, const std::vector<int64_t>& columns, GramCache* cache) {
  std::vector<double> gradient;
  for (const int64_t column : columns) gradient.push_back(descent.gradient[column]);
  const int64_t p = descent.X.p;
  if (descent.gram && is_all(columns, p)) return {descent.gram, std::move(gradient)};
  if (descent.gram) return {square_part(descent.gram, p, columns), std::move(gradient)};
  const std::lock_guard<std::mutex> lock(cache->mutex);
  return {cache->of(descent, columns), std::move(gradient)};
}

// Nothing of X is read but for rows of the Gram matrix that are missing.
DescentReport descend_on_gram(const Descent& descent, const Blocks& blocks, GramCache* cache) {
  const std::vector<int64_t>& columns = blocks.columns();
  std::vector<double> x;
  for (const int64_t column : columns) x.push_back(descent.x[column]);
  GramModel model = model_of(descent, columns, cache);
  const EpochReport epochs =
      Epochs<GramModel>(model, blocks, x)
          .run({descent.tolerance, 0.0, descent.max_epochs, 0, descent.interrupted});
  for (std::size_t k = 0; k < x.size(); ++k) descent.x[columns[k]] = x[k];
  return {0.0, epochs.last, epochs.count, 1};
}

bool gram_pays(const Descent& descent, const std::vector<int64_t>& columns, GramCache* cache) {
  const int64_t count = static_cast<int64_t>(columns.size());
  if (descent.gram) return true;
  if (descent.loss != 0 || count > GramCache::kMost || count > 2 * descent.X.n) return false;
  const std::lock_guard<std::mutex> lock(cache->mutex);
  return cache->missing(columns) <= kMostNew;
}

}  // namespace

DescentReport descend(const Descent& descent, GramCache* cache) {
  const Blocks blocks(descent);
  if (blocks.columns().empty()) return {};
  return gram_pays(descent, blocks.columns(), cache) ? descend_on_gram(descent, blocks, cache)
                                                     : Newton(descent).run();
}

}  // namespace proxstep::cpu
