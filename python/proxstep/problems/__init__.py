"""Smooth losses of linear models: value, gradient, curvature bound, conjugate.

A problem knows no penalty and no solver.
"""

from .base import Problem
from .least_squares import LeastSquares
from .logistic import Logistic
from .pointwise import Evaluation
from .softmax import Softmax

__all__ = ["Evaluation", "LeastSquares", "Logistic", "Problem", "Softmax"]
