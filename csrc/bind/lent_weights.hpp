// The weights of a GPT lent by Python: checked once, and kept alive as long as they are read.
#pragma once
#include <deque>

#include "../cpu/decode.hpp"
#include "borrowed.hpp"

namespace proxstep::bind {

template <class T>
constexpr DType dtype_of() {
  return sizeof(T) == 8 ? DType::float64 : DType::float32;
}

template <class T>
class LentWeights {
 public:
  // outer: token_embedding, position_embedding, norm, head. Each of blocks: heads, norm1, qkv,
  // projection, norm2, up, down.
  LentWeights(const py::dict& outer, const py::list& blocks, bool erf);
  const cpu::DecodeModel<T>& model() const { return model_; }
  void check_apart(const Borrowed& output) const;  // from every weight

 private:
  static constexpr std::int64_t kAny = -2;  // rows
  cpu::DecodeBlock<T> block(const py::dict& dict);
  const Array& lend(const py::dict& dict, const char* name);
  const T* vector(const py::dict& dict, const char* name);
  Weight<T> matrix(const py::dict& dict, const char* name, std::int64_t rows, std::int64_t columns);
  void take_head_size(const py::dict& first);

  std::deque<Borrowed> lent_;
  py::list keep_;
  cpu::DecodeModel<T> model_;
};

extern template class LentWeights<float>;
extern template class LentWeights<double>;

}  // namespace proxstep::bind
