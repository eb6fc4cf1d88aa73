// What bounds a run of prox-Newton steps, for one margin a sample and for several.
#pragma once

namespace proxstep::cpu {

constexpr int kMostModels = 30;
constexpr int kMostHalvings = 30;
constexpr double kModelShare = 0.1;  // of the loss's violation that a model may leave

}  // namespace proxstep::cpu
