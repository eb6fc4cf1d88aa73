"""`ProxSGD`, whose docstring describes what all the optimizers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import Unpack  # torch needs it as well

from ..checks import flag
from ..rules import SGD, Momentum, Nesterov, Rule
from .base import ProxOptimizer
from .inputs import rate_of
from .options import Options

__all__ = ["ProxSGD"]


class ProxSGD(ProxOptimizer):
    """`torch.optim.SGD` with a prox at the end of every step.

    ``x = prox_{lr h}(x - lr v)``, with the velocity v of `Momentum` or `Nesterov`, or the gradient
    itself without momentum; weight decay is coupled.

    Parameters
    ----------
    params : iterable
        Parameters, named parameters or groups, as for every optimizer of torch.
    lr, momentum, dampening, weight_decay, nesterov
        As for `torch.optim.SGD`; but where a momentum begins during a run, dampening counts from
        its first gradient on, which torch takes whole.
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
        refused, with the parameter's name; or left out. The last two read the gradients once more,
        and take a global norm that overflows for infinite.
    skip_zero_rows : bool
        On the CPU, pass over rows of the first axis that rest at zero, as long as their gradient
        is zero: of these rows the gradient alone is read. See Notes.
    moments : {None, "bfloat16"}
        "bfloat16" keeps the moments in half the memory, rounded stochastically: a step with two of
        them moves 20 bytes per float32 parameter instead of 28.
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
    comes back, and once in 2048 steps, it makes up, bit by bit, for the steps it has missed: where
    it has moments that costs what the steps would have. The iterates are those of stepping every
    row, provided that a row at rest would have stayed at zero: always so without
    momentum; with one under convex penalties, since it shrinks while the gradient is zero, for Adam
    where ``beta1 <= beta2``, so that ``|m| / sqrt(v)`` shrinks as well; for `ProxRDA` where
    parameters begin at zero. What others write into the parameter in place stands as it is: rows
    that wait are then taken to be at the present, and a warning says if steps were lost. `flush`
    first, and nothing is lost.

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
        lr, mu, decay = rate_of(group), group["momentum"], group["weight_decay"]
        damping = group["dampening"]
        flag("nesterov", group["nesterov"])
        if group["nesterov"] and (mu <= 0 or damping != 0):
            raise ValueError(f"nesterov needs a momentum, it is {mu}, and no dampening, {damping}")
        if group["nesterov"]:
            return Nesterov(lr, mu, decay)
        return SGD(lr, decay) if mu == 0 else Momentum(lr, mu, decay, damping)
