// What the kernels know of an array: pointer, count, dtype, device. No Python, no CUDA.
#pragma once
#include <cstdint>

namespace proxstep {

enum class DType : std::uint8_t {
  float64,
  float32,
  bfloat16,
  float16,
  int64,
  int32,
  uint16,
  other
};
enum class Device : std::int32_t { cpu = 1, cuda = 2, other = 0 };

constexpr int kMaxDim = 8;

struct Array {
  void* data = nullptr;
  DType dtype = DType::other;
  Device device = Device::cpu;
  int device_id = 0;  // which of them
  bool readonly = false;
  int ndim = 0;
  std::int64_t shape[kMaxDim] = {};
  std::int64_t strides[kMaxDim] = {};  // in elements

  std::int64_t size() const {
    std::int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= shape[d];
    return n;
  }
};

inline int itemsize(DType dtype) {
  switch (dtype) {
    case DType::float64:
    case DType::int64:
      return 8;
    case DType::float32:
    case DType::int32:
      return 4;
    default:
      return 2;
  }
}
inline bool is_floating(DType dtype) { return dtype <= DType::float16; }
// The type that arithmetic and moments use.
inline DType compute_type(DType dtype) {
  return dtype == DType::float64 ? DType::float64 : DType::float32;
}

}  // namespace proxstep
