"""What users call on a problem, whatever its loss."""

from __future__ import annotations

import math
from typing import Any

from ..arrays import Array
from . import inputs
from .evaluator import Evaluator
from .pointwise import Evaluation
from .spectrum import norm_bound
from .weights import SampleWeights


class Problem(Evaluator):
    """A mean loss of linear margins over samples; see LeastSquares, Logistic and Softmax."""

    def value(self, x: Any, intercept: Any = None) -> float:
        """Return the mean loss at x.

        Parameters
        ----------
        x : array_like, shape (p,) or (p, classes)
            Parameters; an array must lie where X lies.
        intercept : array_like or None
            Scalar, or shape (classes,); by default the best one for this x (0 without
            ``fit_intercept``).

        Returns
        -------
        float
            Loss, without any penalty.

        Raises
        ------
        ValueError
            If a shape is wrong or a value is not finite.
        """
        return self.evaluate_at(x, intercept).loss

    def gradient(self, x: Any, intercept: Any = None) -> tuple[Array, Array]:
        """Return the gradients by x and by the intercept (zero at the fitted one).

        Parameters and errors are those of `value`; with no intercept given, the first is also
        the gradient of the loss minimised over the intercept.

        Returns
        -------
        tuple of arrays
            Of x's shape, and of the intercept's shape; of X's library, where X lies.

        Examples
        --------
        >>> import numpy as np
        >>> import proxstep as ps
        >>> two = ps.Logistic(np.array([[-1.0], [1.0]]), [0, 1])
        >>> [g.tolist() for g in two.gradient([0.0])]
        [[-0.5], 0.0]
        """
        at = self.evaluate_at(x, intercept)
        design = self.design.unscaled
        gradient = design.adjoint(at.residual)
        total = self.xp.sum(at.residual, axis=0, dtype=self.xp.float64)
        if intercept is not None:  # X' r = X_c' r + m sum(r)
            gradient = gradient + design.spread(total)
        return gradient, self.xp.asarray(total, self.dtype)

    def lipschitz(self) -> float:
        """Return an upper bound on the Lipschitz constant of the gradient.

        The bound is for the loss minimised over the intercept: curvature times the largest
        eigenvalue of ``X_c' W X_c``, X_c the centred X. It is exact to rounding for least squares
        when X has a small side, and certain (but wide) otherwise. It is infinite for Poisson,
        whose curvature grows with the margins: no step is short enough for every start.

        Examples
        --------
        >>> import numpy as np
        >>> import proxstep as ps
        >>> two = ps.Logistic(np.array([[-1.0], [1.0]]), [0, 1])
        >>> round(two.lipschitz(), 6)  # at most a quarter of the mean square
        0.25
        """
        if math.isinf(self.curvature):
            return math.inf
        return self.curvature * norm_bound(self.design.unscaled)

    def lambda_max(self, penalty: Any) -> float:
        """Return the smallest strength of this penalty at which x = 0 is optimal.

        The strength is ``lam`` (``l1`` for ElasticNet; for SparseGroup it is ``lam`` with the
        ratio ``l1 / lam`` held); the penalty's own strength does not matter. Parameters of
        weight 0 are fitted first.

        Raises
        ------
        TypeError
            If none is known: no strength of SquaredL2 gives zeros, those of L0 and other steep
            penalties depend on more than a gradient.

        Examples
        --------
        >>> import numpy as np
        >>> import proxstep as ps
        >>> two = ps.Logistic(np.array([[-1.0], [1.0]]), [0, 1])
        >>> two.lambda_max(ps.L1(1.0)), ps.solve(two, ps.L1(0.5)).x.tolist()
        (0.5, [0.0])
        """
        from ..solvers.strength import lambda_max

        return lambda_max(self, penalty)

    def duality_gap(self, x: Any, penalty: Any) -> float:
        """Return the duality gap at x, relative to the loss of the null model.

        It bounds the objective at x minus the best one, and is inf outside the penalty's domain:
        ``F(u) + h(x) + F*(r) + h*(-X' r)`` for a multiple r of the residual with finite conjugates
        (Fenchel and Rockafellar; see Ndiaye et al., "Gap safe screening rules", JMLR 2017).

        Raises
        ------
        TypeError
            If the penalty has no dual (non-convex penalties, user penalties).

        Examples
        --------
        >>> import numpy as np
        >>> import proxstep as ps
        >>> two = ps.Logistic(np.array([[-1.0], [1.0]]), [0, 1])
        >>> round(two.duality_gap([0.0], ps.L1(0.5)), 6), two.duality_gap([0.0], ps.L1(0.1)) > 0.1
        (0.0, True)
        """
        from ..solvers.certificate import relative_gap

        return relative_gap(self, self.evaluate_at(x), penalty)

    def with_weights(self, sample_weight: Any) -> Problem:
        """Return the same problem with other sample weights; X and y are shared.

        Parameters
        ----------
        sample_weight : array_like or None, shape (n,)
            Non-negative weights, where X lies. A sample of weight 0 takes no part, as those that
            a fold of a cross-validation holds out; None weighs all alike.

        Raises
        ------
        ValueError
            If weights are negative, all zero, not finite, of another shape, or lie elsewhere.

        Examples
        --------
        >>> import numpy as np
        >>> import proxstep as ps
        >>> line = ps.LeastSquares(np.array([[1.0], [2.0], [3.0]]), [2, 4, 9])
        >>> ps.solve(line.with_weights([1, 1, 0]), None, tol=1e-12).x.round(6).tolist()
        [2.0]
        """
        shares = inputs.sample_shares(self.xp, sample_weight, self.X.shape[0])
        weights = SampleWeights(self.xp, shares, self.X.shape[0], self.dtype)
        other: Problem = self._with(weights, self.design.reweighted(weights))
        return other

    def evaluate_at(self, x: Any, intercept: Any = None) -> Evaluation:
        """Check x and evaluate the loss there, with the intercept fitted unless it is given."""
        xp = self.xp
        given = inputs.numbers(xp, "x", x, self.shape, self.dtype)
        point = self.design.from_given(given)
        if intercept is None:
            return self.evaluate(point)
        self._check_stream()
        b = inputs.numbers(xp, "intercept", intercept, self._outputs, xp.float64)
        linear = self.design.unscaled.product(given)
        offset = xp.to_host(b + self.design.unscaled.shift(given))
        loss, residual = self._pointwise(self.shifted(linear, offset))
        return Evaluation(point, linear, offset, loss, residual, self.design)

    def __repr__(self) -> str:
        n, p = self.X.shape
        return f"{type(self).__name__}(n={n}, p={p}, {self.dtype})"
