"""Directions in which parameters without a penalty, and the intercept, move the margins.

They are independent and of size about 1, however tiny, huge or alike the columns are that span
them: what a residual has along one of them shows. What a column has beside the others and is no
more than the rounding of its entries is no direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..problems import Problem
from ..problems.weights import SampleWeights
from .independent import base_of, independent

_ROUNDING = 64  # units of it in an entry, as in `Design.constant`
_EXPONENTS = 100, 1000  # largest of a unit, in float32 and in float64


def free_part(problem: Problem, free: Any) -> FreePart | None:
    """Return the directions of free elements, None for none; one object as long as it is in use."""
    if not free.any():
        return None
    kept, key = problem.design.free_parts, free.tobytes()
    part: FreePart | None = kept.get(key)
    if part is None:
        part = kept[key] = FreePart(problem, free)
    return part


@dataclass(frozen=True)
class Block:
    """Outputs with the same free elements, and their directions as combinations of the base."""

    outputs: Array
    frame: Array  # a column a direction

    @property
    def shape(self) -> tuple[int, int]:
        """How many directions, and how many outputs."""
        return self.frame.shape[1], self.outputs.shape[0]


class FreePart:
    """A small linear map into the margins, from coordinates in the directions.

    All arrays lie where X lies. What an output has as directions are combinations of one base.
    """

    def __init__(self, problem: Problem, free: Any) -> None:
        self.xp, self.one_output = problem.xp, free.ndim == 1
        free = free.reshape(len(free), -1) & ~problem.design.constant[:, None]
        rows = np.flatnonzero(free.any(axis=1))
        columns, rounding = _columns(problem, rows)
        self.base, coordinates = base_of(columns, problem.weights, rounding)
        self.outputs = free.shape[1]
        chosen = np.ones((len(rounding), self.outputs), bool)  # and all of the intercept's
        chosen[: len(rows)] = free[rows]
        patterns, which = np.unique(chosen, axis=1, return_inverse=True)
        self._blocks = []
        for k, pattern in enumerate(patterns.T):
            frame = independent(coordinates[:, pattern], rounding[pattern])
            outputs = np.flatnonzero(which.reshape(-1) == k)
            self._blocks.append(Block(self._brought(outputs, "int64"), self._brought(frame)))

    def _brought(self, values: Any, dtype: str = "float64") -> Array:
        return self.xp.asarray(values, getattr(self.xp, dtype))

    @property
    def count(self) -> int:
        """How many directions all outputs have together."""
        return sum(math.prod(block.shape) for block in self._blocks)

    def lift(self, z: Any) -> Array:
        """Return the change of the margins when the coordinates of directions change by z."""
        z, first = self._brought(z), 0
        full = self.xp.zeros((self.base.shape[1], self.outputs), self.xp.float64)
        for block in self._blocks:
            last = first + math.prod(block.shape)
            full[:, block.outputs] = block.frame @ z[first:last].reshape(block.shape)
            first = last
        full = full[:, 0] if self.one_output else full
        return self.base @ self.xp.asarray(full, self.base.dtype)

    def drop(self, residual: Array) -> Array:
        """Return the transpose of `lift`, float64."""
        products = self.base.T @ residual
        full = self.xp.asarray(products, self.xp.float64).reshape(self.base.shape[1], -1)
        return self.xp.concat([(b.frame.T @ full[:, b.outputs]).reshape(-1) for b in self._blocks])

    def bends(self, problem: Problem, residual: Array) -> Any:
        """Return the second derivatives of the loss along the directions, on the host.

        Samples of one output have one each: these are the weights of a Gram matrix.
        """
        if not self.one_output:
            each = np.eye(self.count)
            rows = [self.drop(problem.hessian_product(residual, self.lift(e))) for e in each]
            return self.xp.to_host(self.xp.stack(rows))
        ones = self.xp.ones(residual.shape, residual.dtype)
        bend = self.xp.asarray(problem.hessian_product(residual, ones), self.xp.float64)
        bend = self.xp.maximum(bend, 0.0)  # less is rounding
        weights = SampleWeights(self.xp, bend, len(bend), self.base.dtype)
        frame = self.xp.to_host(self._blocks[0].frame)
        return frame.T @ weights.squares(self.base) @ frame


def _columns(problem: Problem, rows: Any) -> tuple[Array, Any]:
    """Return the columns of rows of x in units of their sizes, and the intercept's, if fitted.

    The units are powers of 2, which round nothing. With each column comes its rounding: that of
    its entries before the mean is taken off.
    """
    xp, design = problem.xp, problem.design
    squares, means = design.scales[rows], xp.to_host(design.means)[rows]
    sizes = np.sqrt(squares)
    most = _EXPONENTS[problem.eps < 1e-10]
    units = np.ldexp(1.0, np.clip(-np.frexp(sizes)[1], -most, most))
    of_entries = np.where(np.isfinite(sizes), np.hypot(sizes, means), 0.0)
    rounding = _ROUNDING * problem.eps * of_entries * units
    columns = design.columns(xp.asarray(rows, xp.int64)).T
    columns = columns * xp.asarray(units[:, None], columns.dtype)
    if problem.fit_intercept:
        columns = xp.concat([columns, xp.ones((1, columns.shape[1]), columns.dtype)])
        rounding = np.append(rounding, _ROUNDING * problem.eps)
    return columns.T, rounding
