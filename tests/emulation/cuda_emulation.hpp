// Runs __global__ kernels without shared memory or barriers on the host: a std::thread for each
// thread of a block, blocks one after another. Include it before the kernels.
#pragma once
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __grid_constant__
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline thread_local dim3 threadIdx, blockIdx;

// The emulated kernel<<<blocks, threads>>>(...): kernel is a call without arguments.
template <class Kernel>
void emulate(unsigned blocks, unsigned threads, const Kernel& kernel) {
  for (unsigned block = 0; block < blocks; ++block) {
    std::vector<std::thread> team;
    for (unsigned thread = 0; thread < threads; ++thread) {
      team.emplace_back([&, thread] {
        threadIdx.x = thread;
        blockIdx.x = block;
        kernel();
      });
    }
    for (std::thread& member : team) member.join();
  }
}
