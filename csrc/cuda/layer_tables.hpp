// What the kernels of a language model's layers are handed by value. T is float or double; arrays
// are those of layer_rows.hpp.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

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

}  // namespace proxstep::cuda
