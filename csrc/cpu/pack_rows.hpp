// A dense weight packed as SparseRows, where that pays.
#pragma once
#include <vector>

#include "../decode.hpp"

namespace proxstep::cpu {

template <class T>
class PackedRows {
 public:
  explicit PackedRows(const Weight<T>& dense);
  SparseRows<T> rows() const {
    return {values_.data(), columns_.data(), starts_.data(), order_.data()};
  }

 private:
  std::vector<T> values_;
  std::vector<std::uint16_t> columns_;
  std::vector<std::int64_t> starts_, order_;
};

// Whether enough elements are zero for the sparse product to be the faster one, and column numbers
// fit into 16 bits.
template <class T>
bool pays_packed(const Weight<T>& dense);

}  // namespace proxstep::cpu
