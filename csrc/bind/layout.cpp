#include "layout.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace proxstep::bind {
namespace {

bool follows_strides(const Array& a, bool last_fastest) {
  std::int64_t stride = 1;
  for (int k = 0; k < a.ndim; ++k) {
    const int d = last_fastest ? a.ndim - 1 - k : k;
    if (a.shape[d] != 1 && a.strides[d] != stride) return a.size() == 0;
    stride *= a.shape[d];
  }
  return true;
}

}  // namespace

bool is_c_order(const Array& a) { return follows_strides(a, true); }
bool is_f_order(const Array& a) { return follows_strides(a, false); }

bool first_is_outermost(const Array& a) {
  return a.size() == 0 || a.shape[0] == 1 || a.strides[0] * a.shape[0] == a.size();
}

bool is_permuted(const Array& a) {
  std::vector<std::pair<std::int64_t, std::int64_t>> axes;  // stride, extent
  for (int d = 0; d < a.ndim; ++d) {
    if (a.shape[d] != 1) axes.emplace_back(a.strides[d], a.shape[d]);
  }
  std::sort(axes.begin(), axes.end());
  std::int64_t dense = 1;
  for (const auto& [stride, extent] : axes) {
    if (stride != dense) return false;
    dense *= extent;
  }
  return true;
}

}  // namespace proxstep::bind
