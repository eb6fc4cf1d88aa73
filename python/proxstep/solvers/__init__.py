"""Solvers: a problem and a penalty in, a result with a certificate out."""

from .dispatch import solve
from .many import solve_many
from .many_result import ManyResult
from .result import ConvergenceWarning, Result, Trace

__all__ = ["ConvergenceWarning", "ManyResult", "Result", "Trace", "solve", "solve_many"]
