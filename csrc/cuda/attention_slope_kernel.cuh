// The gradient of causal softmax attention, from the kept peaks and inverses (Dao et al. 2022,
// FlashAttention, appendix B): a block takes a tile of queries and passes over the keys before
// them, then another takes a tile of keys and passes over the queries behind them. Nothing is added
// across blocks.
//   along = do' o, ds = p (do v' - along), dq = ds k / sqrt(width), dk = ds' q, dv = p' do
#pragma once
#include "../op/attention.hpp"
#include "attention_tiles.cuh"
#include "sums.cuh"

namespace proxstep::cuda {

// What is kept of a query.
template <class T>
struct Query {
  T peak, inverse, along;
};
template <class T>
struct PairSlope {
  T p, ds;
};

// Of a query and a key that it sees, by their score and dp = do v'.
template <class T>
__device__ __forceinline__ PairSlope<T> slope_of_pair(const Query<T>& query, T score, T dp) {
  const T p = op::probability(score, query.peak, query.inverse);
  return {p, op::score_gradient(p, dp, query.along)};
}

// do' o of a query, in every lane.
template <class T>
__device__ __forceinline__ T along_of(const HeadBlock<T>& block, int i) {
  const HeadRows<const T> d_o = block.rows_of(block.call.d_o, 1, 0);
  const T* const o = block.rows_of(block.call.o, 1, 0).at;
  T sum = 0;
  for (int c = lane(); c < block.call.width; c += kWarp) {
    sum += d_o.at[i * d_o.apart + c] * o[i * d_o.apart + c];
  }
  return warp_fold(sum, Plus{});
}

// Leaves `along` of the block's queries for the blocks of keys.
template <class T>
__global__ void __launch_bounds__(kThreads, kResident)
    attention_queries_kernel(const AttentionCall<T> __grid_constant__ call) {
  __shared__ Tile<T> room[2], slopes;
  __shared__ Query<T> own[kTile];
  const HeadBlock<T> block(call);
  const int first = (call.tiles - 1 - block.tile) * kTile;  // the longest passes come first
  const Positions<T> queries = {block.part(0), first, call.score_scale};
  const Positions<T> gradients = {block.rows_of(call.d_o, 1, 0), first, T(1)};
  for (int k = 0; k < kOwn; ++k) {
    const int i = first + own_row(k);
    if (i >= call.time) break;  // nothing of it is stored
    const T along = along_of(block, i);
    if (lane() != 0) continue;
    own[own_row(k)] = {call.peak[block.kept + i], call.inverse[block.kept + i], along};
    if (block.slab == 0) call.along[block.kept + i] = along;
  }
  Slab<T> dq;
  for (int key = 0; key <= first; key += kTile) {
    const Positions<T> keys = {block.part(1), key, T(1)};
    T scores[kOwn] = {}, dp[kOwn] = {};
    multiply_pairs(call, queries, keys, room, scores);
    multiply_pairs(call, gradients, {block.part(2), key, T(1)}, room, dp);
#pragma unroll
    for (int k = 0; k < kOwn; ++k) {
      const bool visible = key + lane() <= first + own_row(k);
      const T ds = slope_of_pair(own[own_row(k)], scores[k], dp[k]).ds;
      slopes.at[own_row(k)][lane()] = visible ? ds : T(0);
    }
    add_weighted(block, slopes, keys, room[1], dq);
  }
#pragma unroll
  for (int k = 0; k < kOwn; ++k) scale_row(dq, k, call.score_scale);
  store_slab(block, dq, first, block.rows_of(call.d_qkv, 3, 0));
}

template <class T>
__global__ void __launch_bounds__(kThreads, kResident)
    attention_keys_kernel(const AttentionCall<T> __grid_constant__ call) {
  __shared__ Tile<T> room[2], probabilities, slopes;
  const HeadBlock<T> block(call);
  const int first = block.tile * kTile;
  const Positions<T> keys = {block.part(1), first, T(1)}, values = {block.part(2), first, T(1)};
  Slab<T> dk, dv;
  for (int begin = first; begin < call.time; begin += kTile) {
    const Positions<T> queries = {block.part(0), begin, call.score_scale};
    const Positions<T> gradients = {block.rows_of(call.d_o, 1, 0), begin, T(1)};
    T scores[kOwn] = {}, dp[kOwn] = {};
    multiply_pairs(call, keys, queries, room, scores);
    multiply_pairs(call, values, gradients, room, dp);
    const int i = begin + lane();
    const long long at = block.kept + i;
    Query<T> query = {};  // one beyond the last has no probability
    if (i < call.time) query = {call.peak[at], call.inverse[at], call.along[at]};
#pragma unroll
    for (int k = 0; k < kOwn; ++k) {
      const bool visible = first + own_row(k) <= i;
      const PairSlope<T> pair = slope_of_pair(query, scores[k], dp[k]);
      probabilities.at[own_row(k)][lane()] = visible ? pair.p : T(0);
      slopes.at[own_row(k)][lane()] = visible ? pair.ds : T(0);
    }
    add_weighted(block, probabilities, gradients, room[1], dv);
    add_weighted(block, slopes, queries, room[1], dk);
  }
  store_slab(block, dk, first, block.rows_of(call.d_qkv, 3, 1));
  store_slab(block, dv, first, block.rows_of(call.d_qkv, 3, 2));
}

}  // namespace proxstep::cuda
