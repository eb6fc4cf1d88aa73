"""What all penalties h share: each has `value(x)` and `prox(z, step)`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..arrays import Array, empty_like, frozen_weights
from ..checks import non_negative, own_numbers

__all__ = ["ElementwisePenalty", "Penalty"]


_WEIGHTS = ("weights", "group_weights")


class _Compiled:
    spec: _core.PenaltySpec  # made of the settings, and none of the dataclass's fields


@dataclass(frozen=True, eq=False)
class Penalty(_Compiled):
    """What all penalties share; not used by itself.

    A penalty is immutable and checked when it is made. Weights are copied, into read-only float64
    arrays, and so are numbers that come in arrays or tensors. Penalties of one kind with equal
    settings and weights are equal.
    """

    def __post_init__(self) -> None:
        own_numbers(self, _WEIGHTS)
        for name in _WEIGHTS:
            if getattr(self, name, None) is not None:
                object.__setattr__(self, name, frozen_weights(getattr(self, name)))
        object.__setattr__(self, "spec", self._make_spec())

    def _make_spec(self) -> _core.PenaltySpec:
        raise TypeError(f"{type(self).__name__} is not a penalty of the core")

    def __reduce__(self) -> tuple[Any, ...]:  # the compiled part is made anew
        return type(self), self._settings()

    def _settings(self) -> tuple[Any, ...]:
        return tuple(getattr(self, f.name) for f in fields(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Penalty) or type(other) is not type(self):
            return NotImplemented
        return all(map(_equal, self._settings(), other._settings()))

    def __hash__(self) -> int:
        return hash((type(self), *map(_hashable, self._settings())))

    def prox(
        self, z: Array, step: float | Array = 1.0, *, out: Array = None, dtype: str | None = None
    ) -> Array:
        """Return the minimiser of ``sum((x - z)**2 / (2 * step)) + h(x)``.

        Parameters
        ----------
        z : array
            Dense, float64, float32, bfloat16 or float16.
        step : float or array
            Not negative. An array of z's shape in the compute type (float64 for float64, else
            float32) gives every element its own step: the prox in that diagonal metric.
        out : array, optional
            Like `z`; may be `z` itself. A new array by default.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".

        Returns
        -------
        array
            `out`.

        Raises
        ------
        TypeError, ValueError
            For arrays that do not fit; nothing is written then.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.L1(0.5).prox(np.array([1.0, -0.25, -2.0]), step=2.0)
        array([ 0.,  0., -1.])
        """
        if out is None:
            out = empty_like(z, "z")
        _core.prox(z, self.spec, step, out, dtype)
        return out

    def value(self, x: Array, *, dtype: str | None = None) -> float:
        """Return h(x) in float64, infinite outside the domain, NaN where x has a NaN.

        Parameters
        ----------
        x : array
            Dense, float64, float32, bfloat16 or float16.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".

        Raises
        ------
        TypeError, ValueError
            For an array that does not fit.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.L1(0.5).value(np.array([1.0, -3.0]))
        2.0
        """
        return _core.value(x, self.spec, dtype)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def _hashable(setting: Any) -> Any:
    if isinstance(setting, np.ndarray):
        return setting.shape or setting.item()
    return setting


@dataclass(frozen=True, eq=False)
class ElementwisePenalty(Penalty):
    """h(x) = sum_i w_i phi(x_i) for a scalar phi; `weights` w default to 1.

    A weight of 0 leaves its element unpenalised, a weight of infinity pins it to exact zero.
    """

    name: ClassVar[str]

    def settings(self) -> list[float]:
        """Return the numbers that the core takes, in its order."""
        return [float(getattr(self, name)) for name in self._numbers()]

    def _numbers(self) -> list[str]:
        return [f.name for f in fields(self) if f.name != "weights"]

    def _check(self) -> None:
        for name in self._numbers():
            non_negative(name, getattr(self, name))

    def _make_spec(self) -> _core.PenaltySpec:
        self._check()
        return _core.PenaltySpec(self.name, self.settings(), getattr(self, "weights", None))
