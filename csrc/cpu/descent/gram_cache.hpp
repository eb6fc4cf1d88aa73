// The centred Gram matrix of a problem whose second derivatives never change: a row is computed
// when its column is first chosen, and serves all later sets and strengths.
#pragma once
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "../../descent.hpp"

namespace proxstep::cpu {

class GramCache {
 public:
  static constexpr std::int64_t kMost = 2048;  // columns: 32 MB

  // Held while a matrix is taken from it.
  std::mutex mutex;

  // How many of these columns have no row yet.
  std::int64_t missing(const std::vector<std::int64_t>& columns) const;
  // X' H X of these columns, row by row.
  std::vector<double> of(const Descent& descent, const std::vector<std::int64_t>& columns);

 private:
  void clear();
  void extend(const Descent& descent, const std::vector<std::int64_t>& columns);
  std::unordered_map<std::int64_t, std::int64_t> place_;
  std::vector<std::int64_t> columns_;
  std::vector<double> gram_;
};

}  // namespace proxstep::cpu
