"""The iteration of Newton and Schulz: a matrix becomes nearly its own orthogonal factor.

Letters: X the matrix, A = X X' (X' X where X is tall), Q the quintic's factor, with which one
iteration is Q X, P the product of several. All are polynomials in one A, so they commute, and
several iterations need no more of X than A: Q A Q is the A of Q X.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from ..arrays import Array, array_module, empty_like, is_torch

__all__ = ["NewtonSchulz", "Scratch"]

# Jordan et al. (2024): the steepest at 0 whose iterates stay near 1.
_LINEAR, _CUBIC, _QUINTIC = 3.4445, -4.7750, 2.0315
# Rounding errors of A grow twelvefold an iteration: so many on one A cost three digits.
_PER_GRAM = 5
_NEARLY_SQUARE = 1.5  # sides' ratio below which Q X is cheaper than Q A Q and Q P


class Scratch:
    """Square arrays for one matrix at a time: x's short side, its library and its dtype."""

    def __init__(self, x: Array) -> None:
        square = x[: min(x.shape), : min(x.shape)]
        self.module = _module(x)
        self.gram, self.product, self.factor, self.first, self.spare = (
            empty_like(square) for _ in range(5)
        )

    def normalise(self, eps: float) -> Any:
        """Turn A into that of X / max(||X||_F, eps), and return the factor of X."""
        factor = 1 / (_diagonal(self.gram).sum() ** 0.5).clip(eps, None)
        self.gram *= factor
        self.gram *= factor
        return factor

    def iterate(self, count: int) -> None:
        """Make P of so many iterations."""
        for k in range(count):
            self._make_factor()
            self._multiply_product(is_first=k == 0)
            if k + 1 < count:
                self._advance()

    def _make_factor(self) -> None:
        """Make Q = aI + bA + cA²."""
        self.module.multiply(self.gram, _QUINTIC, out=self.first)
        _diagonal(self.first)[...] += _CUBIC
        self.module.matmul(self.gram, self.first, out=self.factor)
        _diagonal(self.factor)[...] += _LINEAR

    def _multiply_product(self, is_first: bool) -> None:
        """Turn P into Q P."""
        if is_first:
            self.product[...] = self.factor
            return
        self.module.matmul(self.factor, self.product, out=self.spare)
        self.product, self.spare = self.spare, self.product

    def _advance(self) -> None:
        """Turn A into Q A Q."""
        self.module.matmul(self.factor, self.gram, out=self.first)
        self.module.matmul(self.first, self.factor, out=self.spare)
        self.gram, self.spare = self.spare, self.gram


@dataclass(frozen=True)
class NewtonSchulz:
    """``factor`` times the iterate of ``x / max(||x||_F, eps)`` for x of one shape.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    >>> room = np.empty_like(x)
    >>> make = NewtonSchulz(shape=(2, 3), iterations=5, eps=1e-7, factor=1.0)
    >>> make(x, room, Scratch(x)).round(2)
    array([[0.72, 0.  , 0.  ],
           [0.  , 1.12, 0.  ]])
    """

    shape: tuple[int, int]
    iterations: int
    eps: float
    factor: float

    @property
    def per_gram(self) -> int:
        """Iterations on one A, after which X itself is multiplied."""
        short, long = sorted(self.shape)
        return 1 if long < _NEARLY_SQUARE * short else _PER_GRAM

    @property
    def cost(self) -> float:
        """Multiplications of numbers."""
        short, long = sorted(self.shape)
        on_x = 2.0 * -(-self.iterations // self.per_gram) * short**2 * long
        return on_x + short**3 * self.iterations * (1.0 if self.per_gram == 1 else 4.0)

    @property
    def ends_in_room(self) -> bool:
        """Whether the last product is written into the second array, not into the first."""
        return -(-self.iterations // self.per_gram) % 2 == 1

    def __call__(self, x: Array, room: Array, scratch: Scratch) -> Array:
        """Return x or room, which holds the result; the other is overwritten as well."""
        for done in range(0, self.iterations, self.per_gram):
            _multiply_by_own(x, scratch.gram)
            factor = scratch.normalise(self.eps) if done == 0 else 1.0
            left = self.iterations - done
            scratch.iterate(min(left, self.per_gram))
            scratch.product *= factor * (self.factor if left <= self.per_gram else 1.0)
            _multiply(scratch.product, x, room)
            x, room = room, x
        return x


def _module(x: Array) -> Any:
    return sys.modules["torch"] if is_torch(x) else array_module(x)


def _diagonal(square: Array) -> Array:
    return square.reshape(-1)[:: len(square) + 1]


def _multiply_by_own(x: Array, to: Array) -> None:
    tall = x.shape[0] > x.shape[1]
    _module(x).matmul(x.T if tall else x, x if tall else x.T, out=to)


def _multiply(product: Array, x: Array, to: Array) -> None:
    tall = x.shape[0] > x.shape[1]
    _module(x).matmul(x if tall else product, product if tall else x, out=to)
