// Tokens through a GPT, with a cache of keys and values. Input is checked by the caller.
#pragma once
#include <deque>
#include <vector>

#include "pack_rows.hpp"

namespace proxstep::cpu {

template <class T>
struct DecodeBlock {
  std::int64_t heads = 0;
  const T *norm1 = nullptr, *norm2 = nullptr;
  Weight<T> qkv, projection, up, down;
};

template <class T>
struct DecodeModel {
  const T *tokens = nullptr, *positions = nullptr, *norm = nullptr;  // (V, C), (context, C), (C,)
  Weight<T> head;
  std::vector<DecodeBlock<T>> blocks;
  std::int64_t channels = 0, context = 0, head_size = 0;
  bool erf = false;  // GELU by the normal distribution function, not by tanh
};

template <class T>
class Decoder {
 public:
  // sparse: weights with many zeros are packed, as they are now.
  Decoder(DecodeModel<T> model, bool sparse);

  void clear() { length_ = 0; }
  // Reads more tokens, at most context in all; logits of what follows the last of them.
  void read(const std::int64_t* tokens, std::int64_t count, T* logits);

  const DecodeModel<T>& model() const { return model_; }
  std::int64_t length() const { return length_; }
  std::int64_t packed() const { return std::int64_t(packed_.size()); }

 private:
  struct Cache {
    std::vector<T> keys, values;  // (width, context) and (context, width)
  };
  void pack(Weight<T>& weight);
  std::int64_t width(std::size_t block) const;
  void make_room(std::int64_t rows);
  void embed(const std::int64_t* tokens);
  void normalise(const T* gain);
  void remember(std::size_t block, std::int64_t row);
  void attend(std::size_t block, std::int64_t row);
  void attention(std::size_t block);
  void mlp(const DecodeBlock<T>& block);

  DecodeModel<T> model_;
  std::deque<PackedRows<T>> packed_;  // whose places do not move
  std::vector<Cache> caches_;
  std::vector<T> x_, normed_, qkv_, mixed_, hidden_, scores_;  // a row a token
  std::int64_t count_ = 0, length_ = 0;                        // tokens now, and before them
};

template <class T>
void normal_cdf(const T* x, std::int64_t n, T* y);

}  // namespace proxstep::cpu
