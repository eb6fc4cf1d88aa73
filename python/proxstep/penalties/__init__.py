"""Penalties h of single elements. One file for a family; base.py holds what all share.

The formulas are in csrc/op/prox.hpp. Letters: x parameters, z the point a prox is taken at, s its
step, lam the strength, w a weight. `(t)_+` is ``max(t, 0)``.
"""

from .base import ElementwisePenalty, Penalty
from .convex import L1, Box, ElasticNet, NonNegativeL1, SquaredL2
from .nonconvex import L0, L1_2, L2_3, MCP, SCAD

__all__ = [
    "L0",
    "L1",
    "L1_2",
    "L2_3",
    "MCP",
    "SCAD",
    "Box",
    "ElasticNet",
    "ElementwisePenalty",
    "NonNegativeL1",
    "Penalty",
    "SquaredL2",
]
