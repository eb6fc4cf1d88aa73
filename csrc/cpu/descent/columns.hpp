// Chosen columns of X, each contiguous: as they lie in X where it has columns, else packed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../../matrix.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {

class Columns {
 public:
  Columns(const Matrix& X, std::vector<std::int64_t> chosen);

  std::int64_t count() const { return static_cast<std::int64_t>(columns_.size()); }
  std::int64_t samples() const { return X_.n; }
  const Matrix& X() const { return X_; }
  const std::vector<std::int64_t>& chosen() const { return chosen_; }
  std::int64_t entries() const;  // of all columns
  bool sparse() const { return X_.sparse(); }
  // Where X lies by rows the columns are a copy, worth its memory only for few of them.
  const Column& operator[](std::int64_t k) const { return columns_[static_cast<std::size_t>(k)]; }
  const ColumnLoops& loops() const { return *loops_; }

  // Calls visit(sample, value) for the entries of a sparse column.
  template <class Visit>
  void for_entries(std::int64_t k, const Visit& visit) const;

 private:
  template <class T>
  void take_dense();
  template <class T>
  void pack_rows();
  template <class T, class I>
  void take_sparse();
  template <class T, class I>
  void pack_csr();
  template <class T, class I, class Visit>
  void visit_entries(const Column& column, const Visit& visit) const;

  Matrix X_;
  std::vector<std::int64_t> chosen_;
  std::vector<Column> columns_;
  std::vector<std::byte> values_, indices_;  // of a packed copy
  const ColumnLoops* loops_ = nullptr;
};

template <class T, class I, class Visit>
void Columns::visit_entries(const Column& column, const Visit& visit) const {
  const T* v = static_cast<const T*>(column.values);
  const I* at = static_cast<const I*>(column.indices);
  for (std::int64_t e = 0; e < column.count; ++e) visit(std::int64_t(at[e]), double(v[e]));
}

template <class Visit>
void Columns::for_entries(std::int64_t k, const Visit& visit) const {
  const bool wide = X_.index == DType::int64;
  const Column& column = (*this)[k];
  if (X_.dtype == DType::float64) {
    wide ? visit_entries<double, std::int64_t>(column, visit)
         : visit_entries<double, std::int32_t>(column, visit);
  } else {
    wide ? visit_entries<float, std::int64_t>(column, visit)
         : visit_entries<float, std::int32_t>(column, visit);
  }
}

}  // namespace proxstep::cpu
