// The thread pool. Serial when nested, whole again after fork, and never woken by small work.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>

namespace proxstep::cpu {

int num_threads();
void set_num_threads(int n);  // 0: back to the environment's or the affinity's count

void stay_serial();  // for this thread, one of many callers that fill the processor together

using ChunkBody = std::function<void(std::int64_t begin, std::int64_t end, std::int64_t chunk)>;

bool runs_serially(std::int64_t chunks);
void run_on_pool(std::int64_t n, std::int64_t chunk, const ChunkBody& body);

// body(begin, end, chunk index) over 0..n in chunks of a fixed size, so that what a chunk computes
// does not depend on the number of threads. Exceptions of the body reach the caller.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t chunk, const Body& body) {
  if (!runs_serially((n + chunk - 1) / chunk)) return run_on_pool(n, chunk, body);
  for (std::int64_t begin = 0, k = 0; begin < n; begin += chunk, ++k) {
    body(begin, std::min(n, begin + chunk), k);
  }
}

}  // namespace proxstep::cpu
