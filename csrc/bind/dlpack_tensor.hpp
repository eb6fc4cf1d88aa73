// What DLPack's description of a tensor means to the core.
#pragma once
#include "../array.hpp"
#include "dlpack_abi.hpp"

namespace proxstep::bind {

Device dlpack_device(dlpack::Device d);
void read_dlpack(const dlpack::Tensor& t, const char* name, Array* to);

}  // namespace proxstep::bind
