"""The optimizers: torch's names and settings around the rules of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from typing_extensions import Unpack  # torch needs it as well

from ..checks import non_negative
from ..rules import RDA, SGD, Adagrad, AdamW, Momentum, Nesterov, Rule
from .base import ProxOptimizer
from .options import Options

__all__ = ["ProxAdagrad", "ProxAdamW", "ProxRDA", "ProxSGD"]


class ProxSGD(ProxOptimizer):
    """`torch.optim.SGD` with a prox at the end of every step.

    ``x = prox_{lr h}(x - lr v)``, with the velocity v of `Momentum` or `Nesterov`, or the gradient
    itself without momentum; weight decay is coupled.

    Parameters
    ----------
    params : iterable
        Parameters, named parameters or groups, as for every optimizer of torch.
    lr, momentum, dampening, weight_decay, nesterov
        As for `torch.optim.SGD`.
    penalty : Penalty or TopK, optional
        The function h. None: `torch.optim.SGD`.
    metric : {"diagonal", "euclidean"}
        Without influence here: all elements have the same step.
    min_ndim : int
        Parameters of fewer dimensions are not penalised: by default biases and the gains of
        normalisation layers.
    maximize : bool
        Whether to go up; the penalty is still made small.
    max_norm : float, optional
        Gradients whose global norm is larger are scaled down to it: a pass that reads them for the
        norm, and the pass of the step, which leaves them as they are.
    nonfinite : {"ignore", "raise", "skip"}
        What becomes of a step whose gradients hold NaN or infinity: it is taken, as by torch;
        refused, with the parameter's name; or left out. The last two read the gradients once more.
    skip_zero_rows : bool
        On the CPU, pass over rows of the first axis that rest at zero, as long as their gradient
        is zero: of these rows the gradient alone is read. See Notes.
    moments : {None, "bfloat16"}
        "bfloat16" keeps the moments in half the memory, rounded stochastically: a step with two of
        them moves 20 bytes per float32 parameter instead of 28. CPU only, as the next two.
    rounding : {"nearest", "stochastic"}
        How 16-bit parameters are stored. To nearest, a small shrink or step is lost; stochastic
        rounding takes it in the mean.
    master : bool
        Whether 16-bit parameters have float32 masters in the state, which are stepped instead.
    seed : int
        Of stochastic rounding, from 0 to 2**64 - 1. Equal seeds give equal bits, which depend on
        the step, the parameter's place among all of the optimizer, and the element.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range and parameters that cannot be stepped.

    Notes
    -----
    A row rests when it is zero and a step with a zero gradient has left it so. When its gradient
    comes back it first makes up, bit by bit, for the steps it has missed. The iterates are those of
    stepping every row, provided that a row at rest would have stayed at zero: always so without
    momentum; with one under convex penalties, since it shrinks while the gradient is zero, for Adam
    where ``beta1 <= beta2``, so that ``|m| / sqrt(v)`` shrinks as well; for `ProxRDA` where
    parameters begin at zero. What others write into the parameter in place stands as it is: rows
    that wait are then taken to be at the present.

    Sparse gradients (``torch.nn.Embedding(sparse=True)``) step the rows that they name, on the CPU;
    the others wait, and make up for their steps when they are named again. Let the optimizer
    `follow` the module, so that rows are at the present when they are read, and `flush` before you
    look at the parameters: then the bits are those of dense gradients.

    `TopK` gives the density exactly: in each parameter, or with ``scope="global"`` in
    all that bear this very object, and that have `min_ndim` dimensions and a gradient, together;
    those at a learning rate of 0 beside others that move are frozen, and neither count nor change.
    Its schedule is asked for the number of steps that these have taken before, the largest of their
    counts, and so goes on with a restored state. It is refused where rows are stepped by
    themselves, for the shards of a DTensor, and for one global object going both up and down.

    Examples
    --------
    >>> import torch, proxstep as ps
    >>> from proxstep.torch import ProxSGD
    >>> w = torch.nn.Parameter(torch.tensor([[1.0, -0.3]]))
    >>> optimizer = ProxSGD([w], lr=0.1, penalty=ps.L1(3.0))
    >>> w.grad = torch.tensor([[1.0, -1.0]])
    >>> optimizer.step()
    >>> w.data
    tensor([[0.6000, 0.0000]])
    """

    moment_names: ClassVar[Mapping[str, str]] = {"velocity": "momentum_buffer"}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, defaults, options)

    def _make_rule(self, group: Mapping[str, Any]) -> Rule:
        lr, mu, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
        damping = group["dampening"]
        if group["nesterov"] and (mu <= 0 or damping != 0):
            raise ValueError(f"nesterov needs a momentum, it is {mu}, and no dampening, {damping}")
        if group["nesterov"]:
            return Nesterov(lr, mu, decay)
        return Momentum(lr, mu, decay, damping) if mu else SGD(lr, decay)


class ProxAdamW(ProxOptimizer):
    """`torch.optim.AdamW` with a prox at the end of every step.

    ``x = prox(z)`` with AdamW's point z; see `proxstep.AdamW` for the formulas.

    Parameters
    ----------
    params : iterable
        Parameters, named parameters or groups, as for every optimizer of torch.
    lr, betas, eps, weight_decay
        As for `torch.optim.AdamW`.
    penalty : Penalty or TopK, optional
        The function h. None: `torch.optim.AdamW`.
    metric : {"diagonal", "euclidean"}
        The prox in Adam's own metric, with the step ``lr / (sqrt(v) + eps)`` of each element, or
        with the learning rate as the only step. The first shrinks elements with small gradients
        fast, the second all alike.
    **options
        min_ndim, maximize, max_norm, nonfinite, skip_zero_rows, moments, rounding, master and seed,
        as for `ProxSGD`.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range and parameters that cannot be stepped.

    Examples
    --------
    >>> import torch, proxstep as ps
    >>> from proxstep.torch import ProxAdamW
    >>> w = torch.nn.Parameter(torch.tensor([[1.0, -0.3]]))
    >>> optimizer = ProxAdamW([w], lr=0.1, penalty=ps.L1(2.5), metric="euclidean")
    >>> w.grad = torch.tensor([[1.0, -1.0]])
    >>> optimizer.step()
    >>> w.data
    tensor([[0.6490, 0.0000]])
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        **options: Unpack[Options],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults, options)

    def _make_rule(self, group: Mapping[str, Any]) -> Rule:
        return AdamW(float(group["lr"]), group["betas"], group["eps"], group["weight_decay"])


class ProxAdagrad(ProxOptimizer):
    """`torch.optim.Adagrad` with a prox at the end of every step.

    ``x = prox(z)`` with Adagrad's point z; see `proxstep.Adagrad` for the formulas.

    Parameters
    ----------
    params : iterable
        Parameters, named parameters or groups, as for every optimizer of torch.
    lr, lr_decay, weight_decay, initial_accumulator_value, eps
        As for `torch.optim.Adagrad`.
    penalty : Penalty or TopK, optional
        The function h. None: `torch.optim.Adagrad`.
    metric : {"diagonal", "euclidean"}
        The prox in Adagrad's own metric, or with the learning rate as the only step.
    **options
        min_ndim, maximize, max_norm, nonfinite, skip_zero_rows, moments, rounding, master and seed,
        as for `ProxSGD`.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range and parameters that cannot be stepped.

    Examples
    --------
    >>> import torch, proxstep as ps
    >>> from proxstep.torch import ProxAdagrad
    >>> w = torch.nn.Parameter(torch.tensor([[1.0, -0.3]]))
    >>> optimizer = ProxAdagrad([w], lr=0.1, penalty=ps.L1(2.5))
    >>> w.grad = torch.tensor([[1.0, -1.0]])
    >>> optimizer.step()
    >>> w.data
    tensor([[0.6500, 0.0000]])
    """

    moment_names: ClassVar[Mapping[str, str]] = {"sum_sq": "sum"}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        **options: Unpack[Options],
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        }
        super().__init__(params, defaults, options)

    def _make_rule(self, group: Mapping[str, Any]) -> Rule:
        non_negative("initial_accumulator_value", group["initial_accumulator_value"])
        lr, eps = float(group["lr"]), group["eps"]
        return Adagrad(lr, eps, group["weight_decay"], group["lr_decay"])

    def _start(self, moment: torch.Tensor, group: Mapping[str, Any]) -> None:
        moment.fill_(group["initial_accumulator_value"])


class ProxRDA(ProxOptimizer):
    """Regularised dual averaging: ``x = prox(x0 - lr G / sqrt(t))`` with the step ``lr sqrt(t)``.

    G is the sum of all gradients and x0 the parameters before the first step; see `proxstep.RDA`.
    The penalty acts on the average of all gradients, which gives sparser parameters than the other
    rules at the same strength.

    Parameters
    ----------
    params : iterable
        Parameters, named parameters or groups, as for every optimizer of torch.
    lr : float
        Learning rate, finite and not negative.
    penalty : Penalty or TopK, optional
        The function h.
    metric : {"diagonal", "euclidean"}
        Without influence here: all elements have the same step.
    **options
        min_ndim, maximize, max_norm, nonfinite, skip_zero_rows, moments, rounding, master and seed,
        as for `ProxSGD`.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range and parameters that cannot be stepped.

    Examples
    --------
    >>> import torch, proxstep as ps
    >>> from proxstep.torch import ProxRDA
    >>> w = torch.nn.Parameter(torch.tensor([[1.0, -0.3]]))
    >>> optimizer = ProxRDA([w], lr=0.1, penalty=ps.L1(3.0))
    >>> w.grad = torch.tensor([[1.0, -1.0]])
    >>> optimizer.step()
    >>> w.data
    tensor([[0.6000, 0.0000]])
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(params, {"lr": lr}, options)

    def _make_rule(self, group: Mapping[str, Any]) -> Rule:
        return RDA(float(group["lr"]))
