// What the kernels of a language model's layers are handed by value. T is float or double; arrays
// are those of layer_rows.hpp.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

constexpr int kTile = 32;  // positions of a head, or channels, that attention takes at once
// Channels of a result that a block of attention makes: what registers have room for.
template <class T>
constexpr int kSlab = 512 / sizeof(T);

template <class T>
struct LayerNormCall {
  long long rows, channels;
  T* x;
  const T* branch;  // or null
  const T* gain;
  T* unit;
  T* scale;
  T* y;
};

template <class T>
struct LayerNormSlopeCall {
  long long rows, channels;
  const T* dy;
  const T* gain;
  const T* unit;
  const T* scale;
  T* dx;
};

// Of every stretch of rows, the sums of each channel over them: a row of `to`.
template <class T>
struct ChannelSumsCall {
  long long rows, channels, stretch;
  const T* x;
  const T* factor;  // null: all are 1
  T* to;
};

template <class T>
struct GeluCall {
  long long n;
  const T* x;
  T* y;
};

template <class T>
struct AttentionCall {
  int heads, time, width;
  int all_heads;     // of all sequences
  int tiles, slabs;  // of a head: blocks of each
  T score_scale;
  const T* qkv;
  T* peak;
  T* inverse;
  T* o;
  const T* d_o;
  T* d_qkv;
  T* along;  // do' o of each query
};

}  // namespace proxstep::cuda
