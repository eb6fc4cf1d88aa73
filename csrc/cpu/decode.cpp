#include "decode.hpp"

#include <algorithm>
#include <utility>

#include "decode_kernels.hpp"
#include "kernels.hpp"
#include "layers/kernels.hpp"
#include "pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kWork = 1 << 17;      // multiplications of a chunk; some 10 us of one thread
constexpr int64_t kSparseCost = 4;      // of a sparse one, in dense ones
constexpr int64_t kElements = 1 << 14;  // of a function of each element

const DecodeKernels<float>& kernels(float) { return tables().decode->f32; }
const DecodeKernels<double>& kernels(double) { return tables().decode->f64; }

void gelu(float* x, int64_t n) { tables().layer->f32.gelu(n, x, x); }
void gelu(double* x, int64_t n) { tables().layer->f64.gelu(n, x, x); }

// Units of so much work each that fill a chunk.
int64_t chunk_of(int64_t work, int64_t least = 1) {
  return std::max(least, kWork / std::max<int64_t>(1, work) / least * least);
}

template <class T>
void multiply_dense(const RowProduct<T>& p) {
  const auto loop = kernels(T()).dense;
  parallel_for(p.weight->rows, chunk_of(p.weight->columns * p.count, 4),
               [&](int64_t begin, int64_t end, int64_t) { loop(p, begin, end); });
}

template <class T>
void multiply_sparse(const RowProduct<T>& p) {
  const auto loop = kernels(T()).sparse;
  const int64_t groups = (p.weight->rows + kRowGroup - 1) / kRowGroup;
  const int64_t each = p.weight->sparse.starts[groups] / groups + 1;
  parallel_for(groups, chunk_of(each * kSparseCost * p.count),
               [&](int64_t begin, int64_t end, int64_t) { loop(p, begin, end); });
}

template <class T>
void multiply(const RowProduct<T>& product) {
  product.weight->sparse.starts ? multiply_sparse(product) : multiply_dense(product);
}

}  // namespace

template <class T>
Decoder<T>::Decoder(DecodeModel<T> model, bool sparse)
    : model_(std::move(model)), caches_(model_.blocks.size()) {
  for (std::size_t b = 0; b < model_.blocks.size(); ++b) {
    caches_[b].keys.resize(width(b) * model_.context);
    caches_[b].values.resize(width(b) * model_.context);
  }
  if (!sparse) return;
  for (auto& block : model_.blocks) {
    for (auto* weight : {&block.qkv, &block.projection, &block.up, &block.down}) pack(*weight);
  }
  pack(model_.head);
}

template <class T>
void Decoder<T>::pack(Weight<T>& weight) {
  if (!pays_packed(weight)) return;
  packed_.emplace_back(weight);
  weight.sparse = packed_.back().rows();
}

template <class T>
int64_t Decoder<T>::width(std::size_t block) const {
  return model_.blocks[block].heads * model_.head_size;
}

template <class T>
void Decoder<T>::make_room(int64_t rows) {
  int64_t wide = 0, hidden = 0;
  for (std::size_t b = 0; b < model_.blocks.size(); ++b) {
    wide = std::max(wide, width(b));
    hidden = std::max(hidden, model_.blocks[b].up.rows);
  }
  x_.resize(rows * model_.channels);
  normed_.resize(rows * model_.channels);
  qkv_.resize(rows * 3 * wide);
  mixed_.resize(rows * wide);
  hidden_.resize(rows * hidden);
  scores_.resize(rows * model_.context);
  count_ = rows;
}

template <class T>
void Decoder<T>::embed(const int64_t* tokens) {
  const int64_t n = model_.channels;
  for (int64_t row = 0; row < count_; ++row) {
    const T* token = model_.tokens + tokens[row] * n;
    const T* position = model_.positions + (length_ + row) * n;
    for (int64_t c = 0; c < n; ++c) x_[row * n + c] = token[c] + position[c];
  }
}

template <class T>
void Decoder<T>::normalise(const T* gain) {
  const int64_t n = model_.channels;
  for (int64_t at = 0; at < count_ * n; at += n) {
    kernels(T()).norm(x_.data() + at, gain, n, normed_.data() + at);
  }
}

template <class T>
void Decoder<T>::remember(std::size_t block, int64_t row) {
  const int64_t n = width(block), position = length_ + row;
  const T* qkv = qkv_.data() + row * 3 * n;
  Cache& cache = caches_[block];
  for (int64_t d = 0; d < n; ++d) cache.keys[d * model_.context + position] = qkv[n + d];
  std::copy_n(qkv + 2 * n, n, cache.values.data() + position * n);
}

template <class T>
void Decoder<T>::attend(std::size_t block, int64_t row) {
  const int64_t size = model_.head_size, context = model_.context, n = width(block);
  const Cache& cache = caches_[block];
  T* scores = scores_.data() + row * context;
  for (int64_t d = 0; d < n; d += size) {
    kernels(T()).attend({qkv_.data() + row * 3 * n + d, cache.keys.data() + d * context,
                         cache.values.data() + d, size, context, n, length_ + row + 1, scores,
                         mixed_.data() + row * n + d});
  }
}

template <class T>
void Decoder<T>::attention(std::size_t b) {
  const DecodeBlock<T>& block = model_.blocks[b];
  normalise(block.norm1);
  multiply<T>({&block.qkv, normed_.data(), qkv_.data(), count_, false});
  for (int64_t row = 0; row < count_; ++row) remember(b, row);
  parallel_for(count_, chunk_of(2 * width(b) * (length_ + count_)),
               [&](int64_t begin, int64_t end, int64_t) {
                 for (int64_t row = begin; row < end; ++row) attend(b, row);
               });
  multiply<T>({&block.projection, mixed_.data(), x_.data(), count_, true});
}

template <class T>
void Decoder<T>::mlp(const DecodeBlock<T>& block) {
  normalise(block.norm2);
  multiply<T>({&block.up, normed_.data(), hidden_.data(), count_, false});
  T* const hidden = hidden_.data();
  const int64_t n = count_ * block.up.rows;
  model_.erf ? kernels(T()).gelu_erf(hidden, n) : gelu(hidden, n);
  multiply<T>({&block.down, hidden_.data(), x_.data(), count_, true});
}

template <class T>
void Decoder<T>::read(const int64_t* tokens, int64_t count, T* logits) {
  make_room(count);
  embed(tokens);
  for (std::size_t b = 0; b < model_.blocks.size(); ++b) {
    attention(b);
    mlp(model_.blocks[b]);
  }
  normalise(model_.norm);
  const T* last = normed_.data() + (count - 1) * model_.channels;
  multiply<T>({&model_.head, last, logits, 1, false});
  length_ += count;
}

template <class T>
void normal_cdf(const T* x, int64_t n, T* y) {
  const auto loop = kernels(T()).normal_cdf;
  parallel_for(n, kElements, [&](int64_t begin, int64_t end, int64_t) {
    loop(x + begin, end - begin, y + begin);
  });
}

template class Decoder<float>;
template class Decoder<double>;
template void normal_cdf(const float*, int64_t, float*);
template void normal_cdf(const double*, int64_t, double*);

}  // namespace proxstep::cpu
