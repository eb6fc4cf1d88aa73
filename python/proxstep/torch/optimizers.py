"""The other optimizers: torch's names and settings around the rules of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from typing_extensions import Unpack  # torch needs it as well

from ..checks import non_negative
from ..rules import RDA, Adagrad, AdamW, Rule
from .base import ProxOptimizer
from .inputs import rate_of
from .options import Options

__all__ = ["ProxAdagrad", "ProxAdamW", "ProxRDA"]


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
        return AdamW(rate_of(group), group["betas"], group["eps"], group["weight_decay"])


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
        lr, eps = rate_of(group), group["eps"]
        return Adagrad(lr, eps, group["weight_decay"], group["lr_decay"])

    def _start(self, moment: torch.Tensor, group: Mapping[str, Any]) -> None:
        moment.fill_(group["initial_accumulator_value"])


class ProxRDA(ProxOptimizer):
    """Regularised dual averaging: ``x = prox(x0 - lr G / sqrt(t))`` with the step ``lr sqrt(t)``.

    G is the sum of all gradients and x0 the parameters before the first step; see `proxstep.RDA`.
    The penalty acts on the average of all gradients, which gives sparser parameters than the other
    rules at the same strength. The rate scales all steps so far, not the last one: a schedule that
    lowers it leads the parameters back to x0, and one that ends at 0 ends there.

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
        return RDA(rate_of(group))
