#include "dlpack_tensor.hpp"

#include <pybind11/pybind11.h>

#include <string>

namespace proxstep::bind {
namespace {

DType dlpack_dtype(dlpack::DataType t) {
  if (t.lanes != 1) return DType::other;
  if (t.code == dlpack::kFloat && t.bits == 64) return DType::float64;
  if (t.code == dlpack::kFloat && t.bits == 32) return DType::float32;
  if (t.code == dlpack::kFloat && t.bits == 16) return DType::float16;
  if (t.code == dlpack::kBfloat && t.bits == 16) return DType::bfloat16;
  if (t.code == dlpack::kInt && t.bits == 64) return DType::int64;
  if (t.code == dlpack::kInt && t.bits == 32) return DType::int32;
  if (t.code == dlpack::kUInt && t.bits == 16) return DType::uint16;
  return DType::other;
}

}  // namespace

Device dlpack_device(dlpack::Device d) {
  if (d.type == dlpack::kCPU || d.type == dlpack::kCUDAHost) return Device::cpu;
  return d.type == dlpack::kCUDA || d.type == dlpack::kCUDAManaged ? Device::cuda : Device::other;
}

void read_dlpack(const dlpack::Tensor& t, const char* name, Array* to) {
  if (t.ndim > kMaxDim) throw pybind11::value_error(std::string(name) + " has too many dimensions");
  to->data = static_cast<char*>(t.data) + t.byte_offset;
  to->dtype = dlpack_dtype(t.dtype);
  to->device = dlpack_device(t.device);
  to->device_id = t.device.id;
  to->ndim = t.ndim;
  std::int64_t dense = 1;
  for (int d = t.ndim - 1; d >= 0; --d) {
    to->shape[d] = t.shape[d];
    to->strides[d] = t.strides ? t.strides[d] : dense;
    dense *= t.shape[d];
  }
}

}  // namespace proxstep::bind
