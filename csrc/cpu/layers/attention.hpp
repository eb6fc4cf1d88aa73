// Causal softmax attention, o = softmax(q k' / sqrt(width)) v, head by head. Queries go kLanes
// abreast, one a lane, against the keys up to the last of them: sums over keys need no sums across
// lanes, and of later keys only those of the same kLanes are read, with weight 0. Backward makes
// the scores again from the kept peaks and inverses (Dao et al. 2022, FlashAttention, appendix B):
//   dv = p' do, dp = do v', ds = p (dp - sum_j p dp), dq = ds k / sqrt(width), dk = ds' q
#pragma once
#include "../../op/attention.hpp"
#include "heads.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {
namespace {

// kLanes queries from `first` on, and the keys up to the last of them; row j of a tile is of key j.
struct QueryBlock {
  int64_t first, count;  // those that exist
  int64_t keys() const { return first + kLanes; }
};

// A key after the query of its lane scores -infinity.
template <class T>
void hide_future(const QueryBlock& block, T* tile) {
  T* const diagonal = tile + block.first * kLanes;
  for (int j = 0; j < kLanes; ++j) {
    for (int lane = 0; lane < j; ++lane) diagonal[j * kLanes + lane] = -op::infinity<T>();
  }
}

// By vectors, as compilers take the maxima of lanes one by one.
template <class T>
void find_peaks(const QueryBlock& block, const T* tile, T* peaks) {
  constexpr int V = kVectors<T>, W = kLanes / V;
  Vector<T> most[V];
  for (int v = 0; v < V; ++v) most[v] = Vector<T>{} + op::Format<T>::lowest;
  for (int64_t j = 0; j < block.keys(); ++j) {
    for (int v = 0; v < V; ++v) {
      const Vector<T> scores = vector(tile + j * kLanes + v * W);
      most[v] = scores > most[v] ? scores : most[v];
    }
  }
  for (int v = 0; v < V; ++v) vector(peaks + v * W) = most[v];
}

// Scores become exponentials, and inverses one over their sums.
template <class T>
void exponentiate(const QueryBlock& block, const T* peaks, T* tile, T* inverses) {
  T sum[kLanes] = {};
  for (int64_t j = 0; j < block.keys(); ++j) {
    T* const row = tile + j * kLanes;
#pragma GCC ivdep
    for (int lane = 0; lane < kLanes; ++lane) {
      const T e = op::exp_nonpositive(row[lane] - peaks[lane]);
      sum[lane] += e;
      row[lane] = e;
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) inverses[lane] = T(1) / sum[lane];
}

// Scores become probabilities; along receives sum_j p dp.
template <class T>
void make_probabilities(const QueryBlock& block, const T* peaks, const T* inverses, T* tile,
                        const T* dp, T* along) {
  T sum[kLanes] = {};
  for (int64_t j = 0; j < block.keys(); ++j) {
    T* const row = tile + j * kLanes;
#pragma GCC ivdep
    for (int lane = 0; lane < kLanes; ++lane) {
      const T p = op::probability(row[lane], peaks[lane], inverses[lane]);
      sum[lane] += p * dp[j * kLanes + lane];
      row[lane] = p;
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) along[lane] = sum[lane];
}

template <class T>
void make_score_gradients(const QueryBlock& block, const T* p, const T* along, T* dp) {
  for (int64_t j = 0; j < block.keys(); ++j) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t at = j * kLanes + lane;
      dp[at] = op::score_gradient(p[at], dp[at], along[lane]);
    }
  }
}

// Where the parts of a head lie in scratch, one behind the other: eight of rows, two tiles, one of
// kLanes rows.
struct HeadLayout {
  int64_t rows, tile, d_tile, out, end;

  explicit HeadLayout(const HeadShape& shape)
      : rows(shape.rows_size()),
        tile(8 * rows),
        d_tile(tile + shape.times * kLanes),
        out(d_tile + shape.times * kLanes),
        end(out + kLanes * shape.widths) {}
};

// What is packed of a head, from a whole cache line on.
template <class T>
struct PackedHead {
  T *q, *k, *v, *d_o, *dk, *dv, *q_lanes, *d_o_lanes, *tile, *d_tile, *out;

  PackedHead(const HeadShape& shape, T* at) {
    const HeadLayout layout(shape);
    at += (kLine - reinterpret_cast<std::uintptr_t>(at) % kLine) % kLine / sizeof(T);
    T** const parts[8] = {&q, &k, &v, &d_o, &dk, &dv, &q_lanes, &d_o_lanes};
    for (int part = 0; part < 8; ++part) *parts[part] = at + part * layout.rows;
    tile = at + layout.tile;
    d_tile = at + layout.d_tile;
    out = at + layout.out;
  }
  static constexpr std::uintptr_t kLine = 64;
};

// Lanes more than the layout, as scratch may begin within a cache line.
inline int64_t attention_scratch(int64_t time, int64_t width) {
  return HeadLayout(HeadShape(time, width)).end + kLanes;
}

template <class T>
class Head {
 public:
  Head(const AttentionJob<T>& job, int64_t index)
      : job_(job),
        shape_(job.time, job.width),
        packed_(shape_, job.scratch),
        channels_(job.heads * job.width),
        kept_(index * job.time),
        row_(index / job.heads * job.time),
        column_(index % job.heads * job.width) {}

  void forward() {
    pack_inputs();
    for (int64_t first = 0; first < job_.time; first += kLanes) forward(block_from(first));
  }
  void backward() {
    pack_inputs();
    pack_rows(shape_, rows_of(job_.d_o, 1, 0), T(1), packed_.d_o);
    transpose_rows(shape_, packed_.d_o, packed_.d_o_lanes);
    for (int64_t e = 0; e < shape_.rows_size(); ++e) packed_.dk[e] = packed_.dv[e] = T(0);
    for (int64_t first = 0; first < job_.time; first += kLanes) backward(block_from(first));
    unpack_rows<T>(shape_, packed_.dk, 0, job_.time, nullptr, rows_of(job_.d_qkv, 3, 1));
    unpack_rows<T>(shape_, packed_.dv, 0, job_.time, nullptr, rows_of(job_.d_qkv, 3, 2));
  }

 private:
  // This head's columns of part `part` of fused rows of `parts`.
  template <class U>
  HeadRows<U> rows_of(U* base, int64_t parts, int64_t part) const {
    return {base + (row_ * parts + part) * channels_ + column_, parts * channels_};
  }
  QueryBlock block_from(int64_t first) const {
    return {first, op::least<int64_t>(kLanes, job_.time - first)};
  }
  T score_scale() const { return op::score_scale(T(job_.width)); }

  void pack_inputs() {
    pack_rows(shape_, rows_of(job_.qkv, 3, 0), score_scale(), packed_.q);
    pack_rows(shape_, rows_of(job_.qkv, 3, 1), T(1), packed_.k);
    pack_rows(shape_, rows_of(job_.qkv, 3, 2), T(1), packed_.v);
    transpose_rows(shape_, packed_.q, packed_.q_lanes);
  }
  // Row j, lane i: key rows times the queries' channels.
  void multiply_pairs(const QueryBlock& block, const T* key_rows, const T* lanes, T* tile) const {
    multiply<false, T>(block.keys(), shape_.width, {key_rows, shape_.widths, 1},
                       {lanes + block.first, shape_.times}, {tile, kLanes});
  }
  // The queries' rows: sums over keys.
  void sum_over_keys(const QueryBlock& block, const T* tile, const T* key_rows) const {
    multiply_wide<false, T>(kLanes, shape_.widths, block.keys(), {tile, 1, kLanes},
                            {key_rows, shape_.widths}, {packed_.out, shape_.widths});
  }
  // The keys' rows: sums over the queries are added.
  void add_over_queries(const QueryBlock& block, const T* tile, const T* query_rows, T* to) const {
    multiply_wide<true, T>(block.keys(), shape_.widths, kLanes, {tile, kLanes, 1},
                           {query_rows + block.first * shape_.widths, shape_.widths},
                           {to, shape_.widths});
  }
  void score(const QueryBlock& block) const {
    multiply_pairs(block, packed_.k, packed_.q_lanes, packed_.tile);
    hide_future(block, packed_.tile);
  }

  void forward(const QueryBlock& block) {
    T peaks[kLanes], inverses[kLanes];
    score(block);
    find_peaks(block, packed_.tile, peaks);
    exponentiate(block, peaks, packed_.tile, inverses);
    for (int64_t i = 0; i < block.count; ++i) {
      job_.peak[kept_ + block.first + i] = peaks[i];
      job_.inverse[kept_ + block.first + i] = inverses[i];
    }
    sum_over_keys(block, packed_.tile, packed_.v);
    unpack_rows<T>(shape_, packed_.out, block.first, block.count, inverses, rows_of(job_.o, 1, 0));
  }
  void backward(const QueryBlock& block) {
    T peaks[kLanes] = {}, inverses[kLanes] = {}, along[kLanes], scales[kLanes];
    for (int64_t i = 0; i < block.count; ++i) {
      peaks[i] = job_.peak[kept_ + block.first + i];
      inverses[i] = job_.inverse[kept_ + block.first + i];
    }
    score(block);
    multiply_pairs(block, packed_.v, packed_.d_o_lanes, packed_.d_tile);
    make_probabilities(block, peaks, inverses, packed_.tile, packed_.d_tile, along);
    add_over_queries(block, packed_.tile, packed_.d_o, packed_.dv);
    make_score_gradients(block, packed_.tile, along, packed_.d_tile);
    add_over_queries(block, packed_.d_tile, packed_.q, packed_.dk);
    sum_over_keys(block, packed_.d_tile, packed_.k);
    for (T& scale : scales) scale = score_scale();
    unpack_rows<T>(shape_, packed_.out, block.first, block.count, scales,
                   rows_of(job_.d_qkv, 3, 0));
  }

  const AttentionJob<T>& job_;
  const HeadShape shape_;
  const PackedHead<T> packed_;
  const int64_t channels_, kept_, row_, column_;
};

template <class T>
void attention(const AttentionJob<T>& job) {
  for (int64_t head = 0; head < job.batch * job.heads; ++head) Head<T>(job, head).forward();
}
template <class T>
void attention_gradient(const AttentionJob<T>& job) {
  for (int64_t head = 0; head < job.batch * job.heads; ++head) Head<T>(job, head).backward();
}

}  // namespace
}  // namespace proxstep::cpu
