"""Smooth losses of linear models: value, gradient, curvature bound, conjugate.

A problem knows no penalty and no solver.
"""

from .base import Problem
from .huber import Huber
from .least_squares import LeastSquares
from .logistic import Logistic
from .pointwise import Evaluation
from .poisson import Poisson
from .softmax import Softmax

__all__ = [
    "Evaluation",
    "Huber",
    "LeastSquares",
    "Logistic",
    "Poisson",
    "Problem",
    "Softmax",
]
