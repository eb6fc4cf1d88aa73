// Random words of single elements, as a kernel makes them that begins at another one.
#include "cuda_emulation.hpp"
// The kernels come after the emulation.
#include "cuda/noise.cuh"

using namespace proxstep;

// The purpose's word of element i in a run that begins at `first`.
extern "C" unsigned word_of(const op::RandomStream* stream, unsigned purpose, long long first,
                            long long i) {
  struct {
    cuda::RuleSettings<float> settings = {};
    cuda::RuleArray<float> array = {};
  } run;
  run.settings.random = *stream;
  run.array.number = stream->array;
  run.settings.stochastic = run.settings.narrow[0] = true;
  return cuda::noise_of<cuda::Mixed<float, float>>(run, first)
      .bits(static_cast<op::Purpose>(purpose), i);
}
