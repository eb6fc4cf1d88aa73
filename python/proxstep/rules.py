"""Update rules: (x, g, moments) -> (z, s). The formulas are in csrc/op/update.hpp.

Letters: x parameters, g gradient, m moments, z the point at which the prox is taken, s its step,
t the number of the step from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from . import _core
from .arrays import Array, bfloat16_zeros, dtype_name, refuse_masked, widened
from .checks import fraction, non_negative, positive

__all__ = [
    "FISTA",
    "FTRL",
    "RDA",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Rule",
    "State",
]


Moments = Literal["bfloat16"] | None


def check_moments(moments: Any) -> None:
    """Raise for what moments cannot be stored in."""
    if moments is not None and moments != "bfloat16":
        raise ValueError(f"moments is {moments!r}; 'bfloat16' or None, the compute type, is needed")


@dataclass
class State:
    """What a rule remembers of one array: the steps taken and its moments.

    The moments are plain arrays of x's library and shape in the compute type (float64 for float64,
    else float32) or, where `Rule.init` was asked for it, in bfloat16: look at them, save them, put
    them back.
    """

    step: int = 0
    moments: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """What all rules share; not used by itself."""

    lr: float
    spec: _core.RuleSpec = field(init=False, repr=False, compare=False)  # the compiled form
    name: ClassVar[str]
    moments: ClassVar[tuple[str, ...]] = ()
    starts_at_x: ClassVar[tuple[str, ...]] = ()  # moments that begin as a copy of x, not as zero

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "spec", _core.RuleSpec(self.name, self.settings()))

    def __reduce__(self) -> tuple[Any, ...]:  # the compiled part is made anew
        return type(self), tuple(getattr(self, f.name) for f in fields(self) if f.init)

    def _check(self) -> None:
        non_negative("lr", self.lr)

    def settings(self) -> list[float]:
        """Return the numbers that the core takes, in its order."""
        return [float(getattr(self, f.name)) for f in fields(self) if f.init]

    def init(self, x: Array, *, dtype: str | None = None, moments: Moments = None) -> State:
        """Make the state before the first step on x: zeros, or a copy of x where a rule says so.

        Parameters
        ----------
        x : array
            Float64, float32, bfloat16 or float16, of any library that speaks DLPack.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".
        moments : {None, "bfloat16"}
            "bfloat16" halves the moments of x that is not float64: every step rounds them
            stochastically, up or down with the probabilities that make the mean right, so that
            decay by little is not lost. Those that start as a copy of x ("y" of `FISTA`, "origin"
            of `RDA`) stay float32.

        Returns
        -------
        State
            Step 0, and the rule's moments: arrays of x's library, shape, layout and device in the
            compute type (float64 for float64, else float32). NumPy has no bfloat16: such moments
            are of x's dtype where that is ml_dtypes' bfloat16, else their bits as uint16.

        Raises
        ------
        TypeError
            For what is not an array, a masked array, and a dtype that is not handled: 16-bit
            integers without `dtype` among them.
        ValueError
            For a `dtype` or `moments` that is unknown, and for bfloat16 moments of float64 x.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.Momentum(lr=0.1).init(np.ones(2))
        State(step=0, moments={'velocity': array([0., 0.])})
        """
        refuse_masked(x)
        check_moments(moments)
        if moments and dtype_name(x) == "float64":
            raise ValueError("x has dtype float64; bfloat16 moments are for float32 and 16-bit x")
        arrays = {}
        for name in self.moments:
            if moments and name not in self.starts_at_x:
                arrays[name] = bfloat16_zeros(x, dtype)
                continue
            arrays[name] = widened(x, dtype)
            if name not in self.starts_at_x:
                arrays[name][...] = 0
        return State(0, arrays)


@dataclass(frozen=True)
class SGD(Rule):
    """``z = (1 - lr weight_decay) x - lr g``, ``s = lr``: the proximal gradient step.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    weight_decay : float
        Coupled: the gradient of ``weight_decay/2 ||x||**2``. Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Robbins and Monro, *A stochastic approximation method*, Ann. Math. Stat. 22 (1951).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> x = np.array([1.0, -1.0])
    >>> ps.step(x, np.array([4.0, -9.5]), ps.SGD(lr=0.1), ps.L1(1.0))
    >>> x
    array([0.5, 0. ])
    """

    weight_decay: float = 0.0
    name: ClassVar[str] = "sgd"

    def _check(self) -> None:
        super()._check()
        non_negative("weight_decay", self.weight_decay)


@dataclass(frozen=True)
class Momentum(Rule):
    """Heavy ball: ``v = momentum v + (1 - dampening) g'``, ``z = x - lr v``, ``s = lr``.

    Here ``g' = g + weight_decay x``. The moment is "velocity", v, in units of the gradient; it
    starts at 0, and the first gradient is not damped. The form is that of ``torch.optim.SGD``.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    momentum : float
        Decay of the velocity, at least 0 and below 1.
    weight_decay : float
        Coupled, finite and not negative.
    dampening : float
        At least 0 and at most 1.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Polyak, *Some methods of speeding up the convergence of iteration methods*, USSR Comput. Math.
    Math. Phys. 4 (1964).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Momentum(lr=0.1, momentum=0.8)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.896, -2.092])
    """

    momentum: float = 0.9
    weight_decay: float = 0.0
    dampening: float = 0.0
    name: ClassVar[str] = "momentum"
    moments: ClassVar[tuple[str, ...]] = ("velocity",)

    def _check(self) -> None:
        super()._check()
        fraction("momentum", self.momentum)
        non_negative("weight_decay", self.weight_decay)
        if not 0.0 <= self.dampening <= 1.0:
            raise ValueError(f"dampening is {self.dampening}; it must lie between 0 and 1")


@dataclass(frozen=True)
class Nesterov(Rule):
    """``v = momentum v + g'``, ``z = x - lr (g' + momentum v)``, ``s = lr``.

    Here ``g' = g + weight_decay x``. The moment is "velocity", v, which starts at 0; the form is
    that of ``torch.optim.SGD``.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    momentum : float
        Decay of the velocity, at least 0 and below 1.
    weight_decay : float
        Coupled, finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton, *On the importance of initialization and momentum*, ICML 2013.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Nesterov(lr=0.1, momentum=0.8)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.853, -2.15 ])
    """

    momentum: float = 0.9
    weight_decay: float = 0.0
    name: ClassVar[str] = "nesterov"
    moments: ClassVar[tuple[str, ...]] = ("velocity",)

    def _check(self) -> None:
        super()._check()
        fraction("momentum", self.momentum)
        non_negative("weight_decay", self.weight_decay)


@dataclass(frozen=True)
class FISTA(Rule):
    """Accelerated proximal gradient: ``x+ = prox(y - lr g)``, ``y = x+ + beta (x+ - x)``.

    The gradient belongs to y, the moment of that name, which starts at x. x itself is the iterate
    with the exact zeros.

    Parameters
    ----------
    lr : float
        Finite and not negative; at most 1 / L for a gradient with Lipschitz constant L.
    momentum : float, optional
        A constant beta, at least 0 and below 1; by default ``beta = (t - 1) / (t + 2)``.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009); Chambolle and Dossal, JOTA 166 (2015).

    Examples
    --------
    Least squares towards b, whose gradient at y is y - b:

    >>> import numpy as np, proxstep as ps
    >>> rule, b = ps.FISTA(lr=0.5), np.array([3.0, 0.1])
    >>> x = np.zeros(2)
    >>> state = rule.init(x)
    >>> for _ in range(30):
    ...     ps.step(x, state.moments["y"] - b, rule, ps.L1(1.0), state)
    >>> x.round(3)
    array([2., 0.])
    """

    momentum: float | None = None
    name: ClassVar[str] = "fista"
    moments: ClassVar[tuple[str, ...]] = ("y",)
    starts_at_x: ClassVar[tuple[str, ...]] = ("y",)

    def _check(self) -> None:
        super()._check()
        if self.momentum is not None:
            fraction("momentum", self.momentum)

    def settings(self) -> list[float]:
        """Return the numbers that the core takes; a negative beta asks for the sequence in t."""
        return [float(self.lr), -1.0 if self.momentum is None else float(self.momentum)]


@dataclass(frozen=True)
class Adagrad(Rule):
    """``n += g'**2``, ``s = lr_t / (sqrt(n) + eps)``, ``z = x - s g'``.

    Here ``g' = g + weight_decay x`` and ``lr_t = lr / (1 + (t - 1) lr_decay)``. The moment is
    "sum_sq", n, which starts at 0.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    eps, weight_decay, lr_decay : float
        Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Duchi, Hazan, Singer, *Adaptive subgradient methods for online learning and stochastic
    optimization*, JMLR 12 (2011).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Adagrad(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.772, -2.128])
    """

    eps: float = 1e-10
    weight_decay: float = 0.0
    lr_decay: float = 0.0
    name: ClassVar[str] = "adagrad"
    moments: ClassVar[tuple[str, ...]] = ("sum_sq",)

    def _check(self) -> None:
        super()._check()
        for name in ("eps", "weight_decay", "lr_decay"):
            non_negative(name, getattr(self, name))


@dataclass(frozen=True)
class Adam(Rule):
    """Adam with decoupled weight decay, bias-corrected.

    ``m = b1 m + (1 - b1) g``, ``v = b2 v + (1 - b2) g**2``,
    ``s = lr / (sqrt(v / (1 - b2**t)) + eps)``, ``z = (1 - lr weight_decay) x - s m / (1 - b1**t)``.
    The moments are "exp_avg", m, and "exp_avg_sq", v; both start at 0.

    The decay is decoupled in `Adam` and in `AdamW`, which differ in its default alone. (The decay
    of ``torch.optim.Adam`` is coupled; use a `SquaredL2` gradient for that.)

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    betas : pair of float
        b1 and b2, each at least 0 and below 1.
    eps, weight_decay : float
        Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Kingma and Ba, *Adam: a method for stochastic optimization*, ICLR 2015; Loshchilov and Hutter,
    *Decoupled weight decay regularization*, ICLR 2019.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Adam(lr=0.1, betas=(0.8, 0.95))
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.733, -2.15 ])
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: ClassVar[str] = "adam"
    moments: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")

    def _check(self) -> None:
        super()._check()
        for k, beta in enumerate(self.betas):
            fraction(f"betas[{k}]", beta)
        non_negative("eps", self.eps)
        non_negative("weight_decay", self.weight_decay)

    def settings(self) -> list[float]:
        """Return the numbers that the core takes, in its order."""
        return [float(v) for v in (self.lr, *self.betas, self.eps, self.weight_decay)]


@dataclass(frozen=True)
class AdamW(Adam):
    """`Adam` with a decoupled weight decay of 0.01 by default.

    Parameters
    ----------
    lr, betas, eps, weight_decay
        As for `Adam`.

    References
    ----------
    Loshchilov and Hutter, *Decoupled weight decay regularization*, ICLR 2019.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.AdamW(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3), state.step
    (array([ 0.866, -2.073]), 1)
    """

    weight_decay: float = 0.01


@dataclass(frozen=True)
class RDA(Rule):
    """Regularised dual averaging: ``G += g``, ``z = x0 - lr G / sqrt(t)``, ``s = lr sqrt(t)``.

    The moments are "sum", G, which starts at 0, and "origin", x0, where x started. The penalty
    counts once per step, as in the averaged objective.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Xiao, *Dual averaging methods for regularized stochastic learning*, JMLR 11 (2010).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.RDA(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.943, -2.042])
    """

    name: ClassVar[str] = "rda"
    moments: ClassVar[tuple[str, ...]] = ("sum", "origin")
    starts_at_x: ClassVar[tuple[str, ...]] = ("origin",)


@dataclass(frozen=True)
class FTRL(Rule):
    """FTRL-Proximal: the linear term `a` and the squares `n` of the gradients accumulate.

    ``n += g**2``, ``a += g - (sqrt(n) - sqrt(n_old)) / lr * x``,
    ``s = lr / (beta + sqrt(n))``, ``z = -s a``.
    The moments are "accumulator", a, and "sum_sq", n; both start at 0.

    The penalty counts once in all, as in the paper, so its strength is that of a sum over steps.

    Parameters
    ----------
    lr : float
        Learning rate, finite and positive: the formulas divide by it.
    beta : float
        Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    Notes
    -----
    x enters through a alone, in proportion to the gradients seen. Where they are zero, FTRL does
    not know where x starts: z is 0. After the first gradient ``z = (|g| x - lr g) / (beta + |g|)``,
    near 0 for gradients that are small beside beta. With ``beta = 0`` that is `Adagrad`'s step, but
    an element without a gradient in the first step becomes NaN (0 / 0).

    References
    ----------
    McMahan et al., *Ad click prediction: a view from the trenches*, KDD 2013.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.FTRL(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.179, -0.618])
    """

    beta: float = 1.0
    name: ClassVar[str] = "ftrl"
    moments: ClassVar[tuple[str, ...]] = ("accumulator", "sum_sq")

    def _check(self) -> None:
        positive("lr", self.lr)
        non_negative("beta", self.beta)
