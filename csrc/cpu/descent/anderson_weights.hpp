// Weights of Anderson's combination of iterates, from the inner products of their steps.
#pragma once

namespace proxstep::cpu {

constexpr int kAndersonDepth = 5;

// The products are changed. False where no combination is worth trying.
bool anderson_weights(double (&products)[kAndersonDepth][kAndersonDepth],
                      double (&weights)[kAndersonDepth]);

}  // namespace proxstep::cpu
