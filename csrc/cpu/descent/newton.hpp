// Prox-Newton: the loss is replaced by its quadratic model, that is minimised by coordinate
// descent, and a step towards the minimiser is as long as the objective allows (Lee, Sun and
// Saunders, Proximal Newton-type methods, SIAM J. Optim. 2014). The square is its own model.
#pragma once
#include <optional>
#include <vector>

#include "epochs.hpp"
#include "model.hpp"

namespace proxstep::cpu {

class Newton {
 public:
  explicit Newton(const Descent& descent);
  DescentReport run();

 private:
  bool quadratic() const { return descent_.loss == 0; }
  double evaluate(const double* margins, bool derivatives);
  EpochReport minimise_model();
  template <class Model>
  EpochReport descend_on(Model& model);
  bool gram_pays() const;
  void find_direction();
  bool search(double* value);
  bool turn_local();

  const Descent& descent_;
  Blocks blocks_;
  Columns columns_;
  Bend bend_;
  std::optional<Curvature> curvature_;
  std::optional<GramRows> gram_rows_;
  DescentReport report_;
  std::int64_t credit_ = 0;  // epochs that steps on the support have not cost yet
  std::vector<double> margins_, x_, start_, direction_;
  bool last_ = false;                         // the model at hand is
  bool local_ = false;                        // models have lines for the penalty
  double shift_ = 0.0, centred_shift_ = 0.0;  // of the margins beside X, and beside X - 1 m'
};

}  // namespace proxstep::cpu
