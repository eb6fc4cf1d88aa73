"""Solvers: a problem and a penalty in, a result with a certificate out."""

from .dispatch import solve
from .result import ConvergenceWarning, Result, Trace

__all__ = ["ConvergenceWarning", "Result", "Trace", "solve"]
