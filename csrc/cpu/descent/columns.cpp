#include "columns.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "../kernels.hpp"
#include "../pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kRowsPacked = 64;  // at once: the lines of X that they touch stay in the cache

template <class F>
void with_value_type(DType dtype, const F& f) {
  dtype == DType::float64 ? f(double{}) : f(float{});
}
template <class F>
void with_index_type(DType dtype, const F& f) {
  dtype == DType::int64 ? f(int64_t{}) : f(std::int32_t{});
}

const ColumnLoops* loops_for(const Matrix& X) {
  const DescentTable& table = *tables().descent;
  const int narrow = X.dtype == DType::float32;
  return X.sparse() ? &table.sparse[narrow][X.index == DType::int64] : &table.dense[narrow];
}

}  // namespace

Columns::Columns(const Matrix& X, std::vector<int64_t> chosen)
    : X_(X), chosen_(std::move(chosen)), columns_(chosen_.size()), loops_(loops_for(X)) {
  with_value_type(X.dtype, [&](auto value) {
    using T = decltype(value);
    if (X_.layout == Matrix::Layout::columns) return take_dense<T>();
    if (X_.layout == Matrix::Layout::rows) return pack_rows<T>();
    with_index_type(X.index, [&](auto index) {
      using I = decltype(index);
      X_.layout == Matrix::Layout::csc ? take_sparse<T, I>() : pack_csr<T, I>();
    });
  });
  for (std::size_t k = 0; k < chosen_.size(); ++k) columns_[k].factor = X.factor(chosen_[k]);
}

int64_t Columns::entries() const {
  int64_t total = 0;
  for (const Column& column : columns_) total += column.count;
  return total;
}

template <class T>
void Columns::take_dense() {
  const T* values = static_cast<const T*>(X_.values);
  for (std::size_t k = 0; k < chosen_.size(); ++k) {
    columns_[k] = {values + chosen_[k] * X_.n, nullptr, X_.n};
  }
}

template <class T>
void Columns::pack_rows() {
  const T* values = static_cast<const T*>(X_.values);
  values_.resize(chosen_.size() * X_.n * sizeof(T));
  T* packed = reinterpret_cast<T*>(values_.data());
  parallel_for(X_.n, kRowsPacked, [&](int64_t begin, int64_t end, int64_t) {
    for (std::size_t k = 0; k < chosen_.size(); ++k) {
      const T* from = values + chosen_[k];
      T* to = packed + k * X_.n;
      for (int64_t i = begin; i < end; ++i) to[i] = from[i * X_.p];
    }
  });
  for (std::size_t k = 0; k < chosen_.size(); ++k) columns_[k] = {packed + k * X_.n, nullptr, X_.n};
}

template <class T, class I>
void Columns::take_sparse() {
  const T* values = static_cast<const T*>(X_.values);
  const I* indices = static_cast<const I*>(X_.indices);
  const I* starts = static_cast<const I*>(X_.starts);
  for (std::size_t k = 0; k < chosen_.size(); ++k) {
    const I first = starts[chosen_[k]];
    columns_[k] = {values + first, indices + first, int64_t(starts[chosen_[k] + 1] - first)};
  }
}

// Two walks over the entries of X: one counts, one moves those of chosen columns.
template <class T, class I>
void Columns::pack_csr() {
  const T* values = static_cast<const T*>(X_.values);
  const I* indices = static_cast<const I*>(X_.indices);
  const I* starts = static_cast<const I*>(X_.starts);
  std::vector<std::int32_t> place(X_.p, -1);
  for (std::size_t k = 0; k < chosen_.size(); ++k) place[chosen_[k]] = std::int32_t(k);
  std::vector<int64_t> next(chosen_.size() + 1, 0);
  for (I e = 0; e < starts[X_.n]; ++e) {
    if (place[indices[e]] >= 0) ++next[place[indices[e]] + 1];
  }
  for (std::size_t k = 0; k < chosen_.size(); ++k) next[k + 1] += next[k];
  values_.resize(next.back() * sizeof(T));
  indices_.resize(next.back() * sizeof(I));
  T* packed = reinterpret_cast<T*>(values_.data());
  I* samples = reinterpret_cast<I*>(indices_.data());
  for (std::size_t k = 0; k < chosen_.size(); ++k) {
    columns_[k] = {packed + next[k], samples + next[k], next[k + 1] - next[k]};
  }
  for (int64_t i = 0; i < X_.n; ++i) {
    for (I e = starts[i]; e < starts[i + 1]; ++e) {
      const std::int32_t k = place[indices[e]];
      if (k < 0) continue;
      packed[next[k]] = values[e];
      samples[next[k]++] = I(i);
    }
  }
}

}  // namespace proxstep::cpu
