"""The kernels' face for single arrays: soft_threshold, prox and step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from . import _core
from .arrays import Array, empty_like, frozen_weights
from .checks import count, nearest, non_negative, non_negative_or_inf, number
from .directions import SingleStep, direction
from .penalties import Penalty
from .projections import LinfBall, Projection
from .quantize import Quantize
from .rules import Muon, Rule, State
from .top_k import TopK

__all__ = ["Metric", "StepInfo", "global_norm", "prox", "soft_threshold", "step"]

Metric = Literal["diagonal", "euclidean"]
_EUCLIDEAN = {"diagonal": False, "euclidean": True}
_OWN_LR = math.nan  # how the core is told to take the rule's


@dataclass(frozen=True)
class StepInfo:
    """What a step found in the same pass.

    Attributes
    ----------
    nonzeros : int
        Elements of x that are not zero after the step.
    penalty : float
        h(x) after the step, in float64.
    squared_change : float
        Sum of squares of what x changed by.
    finite : bool
        Whether all of x is finite after the step.
    grad_norm : float or None
        Global norm of the scaled gradients before clipping, where clipping was asked for; without
        those that `Muon` turns into directions.
    """

    nonzeros: int
    penalty: float
    squared_change: float
    finite: bool
    grad_norm: float | None = None


def soft_threshold(
    x: Array,
    threshold: float,
    *,
    weights: Array = None,
    out: Array = None,
    dtype: str | None = None,
) -> Array:
    """``sign(x) * max(|x| - threshold * weights, 0)``: the prox of the L1 norm.

    Zeros are exact and NaN stays NaN.

    Parameters
    ----------
    x : array
        Dense, float64, float32, bfloat16 or float16, of any library that speaks DLPack.
    threshold : float
        Not negative.
    weights : array_like, optional
        Factors of x's shape: 0 leaves an element alone, infinity makes it zero.
    out : array, optional
        Like x; may be x itself. A new array by default.
    dtype : str, optional
        What 16-bit integers stand for: "bfloat16" or "float16".

    Returns
    -------
    array
        `out`, of x's library, dtype and device.

    Raises
    ------
    TypeError, ValueError
        For arrays that do not fit, a threshold that is negative or NaN, and such weights; nothing
        is written then.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.soft_threshold(np.array([-2.0, 0.3, 1.5]), 0.5)
    array([-1.5,  0. ,  1. ])
    """
    if type(threshold) is not float:  # whose range the core checks
        number("threshold", threshold)
    if out is None:
        out = empty_like(x)
    if weights is None:
        _core.soft_threshold(x, threshold, out, dtype)
    else:
        non_negative_or_inf("threshold", threshold)
        spec = _core.PenaltySpec("l1", [float(threshold)], frozen_weights(weights))
        _core.prox(x, spec, 1.0, out, dtype)
    return out


def prox(
    z: Array,
    penalty: Penalty | Projection,
    step: float | Array = 1.0,
    *,
    out: Array = None,
    dtype: str | None = None,
) -> Array:
    """Return the prox of a penalty h: ``argmin_x sum((x - z)**2 / (2 * step)) + h(x)``.

    Parameters
    ----------
    z : array
        Dense, float64, float32, bfloat16 or float16, of any library that speaks DLPack.
    penalty : Penalty or Projection
        The function h; a projection is the prox of its set's indicator, whatever the step.
    step : float or array
        Not negative. An array of z's shape in the compute type (float64 for float64, else
        float32) gives every element its own step: the prox in that diagonal metric.
    out : array, optional
        Like z; may be z itself. A new array by default.
    dtype : str, optional
        What 16-bit integers stand for: "bfloat16" or "float16".

    Returns
    -------
    array
        `out`, of z's library, dtype and device.

    Raises
    ------
    TypeError
        For what is not an array or not a penalty, and for a dtype that is not handled.
    ValueError
        For a negative or infinite step, and shapes, layouts or weights that do not fit z. Nothing
        is written then.

    References
    ----------
    Parikh and Boyd, *Proximal Algorithms*, Foundations and Trends in Optimization 1 (2014).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.prox(np.array([3.0, -0.1]), ps.L1(0.5), step=2.0)
    array([2., 0.])
    """
    if not isinstance(penalty, Penalty | Projection):
        raise TypeError(f"penalty is {penalty!r}; a penalty such as L1(0.1) is needed")
    return penalty.prox(z, step, out=out, dtype=dtype)


def is_euclidean(metric: str) -> bool:
    """Whether the prox takes the scalar learning rate; raises for an unknown metric."""
    if not isinstance(metric, str) or metric not in _EUCLIDEAN:
        raise ValueError(f"metric is {metric!r}; {nearest(str(metric), _EUCLIDEAN)}")
    return _EUCLIDEAN[metric]


def check_steppable(rule: Rule, penalty: Penalty | TopK | None) -> None:
    """Raise unless both can take part in a step."""
    if not isinstance(rule, Rule):
        raise TypeError(f"rule is {rule!r}; a rule such as AdamW(lr=1e-3) is needed")
    check_penalty(penalty)


def check_penalty(penalty: Penalty | TopK | None) -> None:
    """Raise unless a step can end in it."""
    if isinstance(penalty, TopK):
        if penalty.over is not None:
            raise ValueError(f"{penalty!r} serves prox and solve; a step selects in whole arrays")
        return
    if isinstance(penalty, LinfBall):
        r = float(penalty.radius)
        raise TypeError(
            f"{penalty!r} serves prox and solve; a step takes its equal, Box({-r}, {r})"
        )
    if isinstance(penalty, Projection):
        raise TypeError(f"{penalty!r} couples all elements; it serves prox and solve")
    if not isinstance(penalty, Penalty | None):
        raise TypeError(f"penalty is {penalty!r}; a penalty such as L1(0.1), or None, is needed")


def rate(lr: float | None) -> float:
    """Put a learning rate in the core's terms."""
    if lr is None:
        return _OWN_LR
    non_negative("lr", lr)
    return float(lr)


def _moments(rule: Rule, state: State | None) -> tuple[Array, ...]:
    if state is None:
        if rule.moments:
            raise ValueError(f"{type(rule).__name__} needs a state: make one by rule.init(x)")
        return ()
    if tuple(state.moments) != rule.moments:
        raise ValueError(
            f"{type(rule).__name__} keeps the moments {rule.moments}, "
            f"the state has {tuple(state.moments)}"
        )
    return tuple(state.moments[name] for name in rule.stepped)


def _kept(penalty: TopK, state: State | None) -> int | float:
    """Return what a step keeps: the state tells which update it is."""
    if penalty.schedule is not None and state is None:
        raise ValueError("a schedule needs a state, which counts: make one by rule.init(x)")
    return penalty.at(0 if state is None else count("state.step", state.step))


def step(
    x: Array,
    g: Array,
    rule: Rule,
    penalty: Penalty | TopK | None = None,
    state: State | None = None,
    *,
    lr: float | None = None,
    grad_scale: float = 1.0,
    metric: Metric = "diagonal",
    stats: bool = False,
    dtype: str | None = None,
) -> StepInfo | None:
    """One proximal step in one pass over memory; x and the state change in place.

    The rule turns x, the gradient and the moments into a point z and a step s; x becomes the prox
    of ``s * penalty`` at z, bit for bit what the two calls would give.

    Parameters
    ----------
    x, g : array
        Parameters and gradient: one shape, layout and dtype (float64, float32, bfloat16, float16).
    rule : Rule
        Such as ``AdamW(lr=1e-3)``.
    penalty : Penalty or TopK, optional
    state : State, optional
        Made by ``rule.init(x)``; not needed by a rule without moments and without a schedule.
        Moments in bfloat16 are rounded by the random bits of seed 0; `Optimizer` takes other seeds.
    lr : float, optional
        Learning rate of this call instead of the rule's.
    grad_scale : float
        Factor of the gradient, for clipping and loss scaling.
    metric : {"diagonal", "euclidean"}
        For adaptive rules: the prox in the rule's own metric, with a step per element, or with the
        learning rate as the only step.
    stats : bool
        Whether to return what the pass can tell.
    dtype : str, optional
        What 16-bit integers stand for: "bfloat16" or "float16".

    Returns
    -------
    StepInfo or None

    Raises
    ------
    TypeError, ValueError
        For arrays, settings or a state that do not fit; nothing has changed then.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> x = np.array([1.0, -1.0, 0.2])
    >>> info = ps.step(x, np.zeros(3), ps.SGD(lr=1.0), ps.L1(0.5), stats=True)
    >>> x, info.nonzeros, info.penalty
    (array([ 0.5, -0.5,  0. ]), 2, 0.5)
    """
    keep = None
    if not isinstance(rule, Rule) or not (penalty is None or isinstance(penalty, Penalty)):
        check_steppable(rule, penalty)
        if isinstance(penalty, TopK):
            keep, penalty = _kept(penalty, state), None
    t = 1 if state is None else count("state.step", state.step) + 1
    number("grad_scale", grad_scale)
    if isinstance(penalty, Quantize) and state is not None:
        penalty = penalty.at(t - 1)
    moments = _moments(rule, state)
    spec = None if penalty is None else penalty.spec
    lr = _OWN_LR if lr is None else rate(lr)
    if isinstance(rule, Muon) and state is not None:
        call = SingleStep(x, g, spec, t, lr, grad_scale, dtype)
        g = direction(call, rule, state.moments["velocity"])
    found = _core.step(
        x,
        g,
        rule.spec,
        spec,
        moments,
        t,
        lr,
        grad_scale,
        _EUCLIDEAN[metric] if metric in _EUCLIDEAN else is_euclidean(metric),
        stats,
        dtype,
        keep,
    )
    if state is not None:
        state.step = t
    return None if found is None else StepInfo(*found)


def global_norm(arrays: list[Array], *, dtype: str | None = None) -> float:
    """Return ``sqrt(sum_k ||a_k||_2**2)`` over all arrays, accumulated in float64.

    The result does not depend on the number of threads or the instruction set.

    Parameters
    ----------
    arrays : list of arrays
        Dense, of any shapes, each float64, float32, bfloat16 or float16.
    dtype : str, optional
        What 16-bit integers stand for: "bfloat16" or "float16".

    Returns
    -------
    float
        0 for an empty list; NaN where an element is NaN; infinite where an element is or the sum of
        squares overflows, as by float64 elements above 1e154.

    Raises
    ------
    TypeError, ValueError
        For what is not an array, not dense, or of a dtype that is not handled.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.global_norm([np.array([3.0]), np.array([[4.0]])])
    5.0
    """
    return _core.global_norm(list(arrays), dtype)
