// What a block does of a table: how every kernel that steps the arrays of one begins.
#pragma once
#include "tables.hpp"

namespace proxstep::cuda {

template <class C, class Array, class Settings>
struct Share {
  const Array& array;
  const Settings& settings;
  const StepSettings<C>& step;
  C grad_scale;
  int block;  // of the array
};

template <class C, class Array, class Settings, class Sum, int capacity>
__device__ __forceinline__ Share<C, Array, Settings> share_of(
    const Table<C, Array, Settings, Sum, capacity>& table) {
  static_assert(sizeof table <= kMostBytes, "a smaller capacity is needed");
  const int block = static_cast<int>(blockIdx.x);
  const int k = array_of_block(table.first_block, table.count, block);
  const Array& array = table.arrays[k];
  const Settings& settings = table.settings[array.settings];
  const C grad_scale = table.device_scale ? *table.device_scale : table.grad_scale;
  return {array, settings, table.computed ? table.computed[array.settings] : step_of(settings),
          step_of(settings).directed ? C(1) : grad_scale, block - table.first_block[k]};
}

}  // namespace proxstep::cuda
