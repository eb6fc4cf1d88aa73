"""Solvers: a problem and a penalty in, a result with a certificate out."""

from .dispatch import solve
from .many import ManyResult, solve_many
from .result import ConvergenceWarning, Result, Trace

__all__ = ["ConvergenceWarning", "ManyResult", "Result", "Trace", "solve", "solve_many"]
