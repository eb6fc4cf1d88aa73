// Whether a result fell below the least number of its format.
#pragma once
#include <cfenv>

namespace proxstep::cpu {

// The processor notes it in the thread's flags, which costs the loops nothing.
class Underflow {
 public:
  Underflow() { std::feclearexcept(FE_UNDERFLOW); }
  bool seen() const { return std::fetestexcept(FE_UNDERFLOW) != 0; }
};

}  // namespace proxstep::cpu
