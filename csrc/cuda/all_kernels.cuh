// Every kernel: what NVRTC is given as one text.
#pragma once
#include "group_kernel.cuh"
#include "keep_kernel.cuh"
#include "loss_kernel.cuh"
#include "mixed_kernel.cuh"
#include "nm_kernel.cuh"
#include "norm_kernel.cuh"
#include "project_kernel.cuh"
#include "quantize_kernel.cuh"
#include "settings_kernel.cuh"
#include "softmax_kernel.cuh"
#include "statistics.cuh"
#include "step_kernel.cuh"
