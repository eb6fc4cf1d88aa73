// The data structures of DLPack 1.x (https://dmlc.github.io/dlpack), frozen within major version 1.
#pragma once
#include <cstddef>
#include <cstdint>

namespace proxstep::bind::dlpack {

enum DeviceType : std::int32_t { kCPU = 1, kCUDA = 2, kCUDAHost = 3, kCUDAManaged = 13 };
enum TypeCode : std::uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4 };

struct Version {
  std::uint32_t major, minor;
};
struct Device {
  std::int32_t type;
  std::int32_t id;
};
struct DataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct Tensor {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};
struct Managed {  // capsule "dltensor", before 1.0
  Tensor tensor;
  void* context;
  void (*deleter)(Managed*);
};
struct ManagedVersioned {  // capsule "dltensor_versioned"
  Version version;
  void* context;
  void (*deleter)(ManagedVersioned*);
  std::uint64_t flags;
  Tensor tensor;
};

struct ExchangeHeader {
  Version version;
  ExchangeHeader* previous;
};
// What a type's __dlpack_c_exchange_api__ holds, from 1.3 on. All return 0, or set Python's error.
struct Exchange {
  ExchangeHeader header;
  void* allocate;
  int (*lend)(void* object, ManagedVersioned** out);  // without ordering any work
  void* take;
  void* lend_unmanaged;
  int (*current_stream)(std::int32_t device_type, std::int32_t device_id, void** out);
};

constexpr std::uint64_t kReadOnly = 1, kIsCopied = 2;

static_assert(sizeof(void*) != 8 ||
              (sizeof(Tensor) == 48 && sizeof(Managed) == 64 && sizeof(ManagedVersioned) == 80));
static_assert(sizeof(void*) != 8 || offsetof(ManagedVersioned, tensor) == 32);

}  // namespace proxstep::bind::dlpack
