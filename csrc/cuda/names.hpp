// The kernels' names, as C++ spells them inside namespace proxstep::cuda.
#pragma once
#include <string>

#include "layout.hpp"

namespace proxstep::cuda {

template <class T>
constexpr const char* type_name = nullptr;
template <>
inline constexpr const char* type_name<void> = "void";
template <>
inline constexpr const char* type_name<float> = "float";
template <>
inline constexpr const char* type_name<double> = "double";
template <>
inline constexpr const char* type_name<op::bfloat16> = "proxstep::op::bfloat16";
template <>
inline constexpr const char* type_name<op::float16> = "proxstep::op::float16";
template <>
inline constexpr const char* type_name<Mixed<float, float>> = "proxstep::cuda::Mixed<float, float>";
template <>
inline constexpr const char* type_name<Mixed<float, op::bfloat16>> =
    "proxstep::cuda::Mixed<float, proxstep::op::bfloat16>";
template <>
inline constexpr const char* type_name<Mixed<float, op::float16>> =
    "proxstep::cuda::Mixed<float, proxstep::op::float16>";
template <>
inline constexpr const char* type_name<Mixed<op::bfloat16, op::bfloat16>> =
    "proxstep::cuda::Mixed<proxstep::op::bfloat16, proxstep::op::bfloat16>";
template <>
inline constexpr const char* type_name<Mixed<op::float16, op::float16>> =
    "proxstep::cuda::Mixed<proxstep::op::float16, proxstep::op::float16>";

template <class T>
std::string kernel_name(const char* kernel) {
  return std::string(kernel) + "<" + type_name<T> + ">";
}
template <class S>
std::string step_kernel_name(int rule, int capacity) {
  return std::string("step_kernel<") + type_name<S> + ", " + std::to_string(rule) + ", " +
         std::to_string(capacity) + ">";
}
template <class S>
std::string rows_kernel_name(const std::string& goal) {
  return std::string("rows_kernel<") + type_name<S> + ", " + goal + ">";
}

template <class S>
std::string kernel_name(const char* kernel, int capacity) {
  return std::string(kernel) + "<" + type_name<S> + ", " + std::to_string(capacity) + ">";
}

}  // namespace proxstep::cuda
