"""Exact zeros for PyTorch: optimizers whose step ends in a prox. Needs torch, ``proxstep[torch]``.

>>> import torch, proxstep as ps
>>> from proxstep.torch import ProxAdamW
>>> model = torch.nn.Linear(3, 2)
>>> optimizer = ProxAdamW(model.parameters(), lr=0.1, penalty=ps.L1(0.5))
>>> for _ in range(50):
...     optimizer.zero_grad()
...     (model(torch.ones(1, 3)) - 7.0).square().mean().backward()
...     optimizer.step()
"""

from .base import ProxOptimizer
from .optimizers import ProxAdagrad, ProxAdamW, ProxRDA, ProxSGD

__all__ = ["ProxAdagrad", "ProxAdamW", "ProxOptimizer", "ProxRDA", "ProxSGD"]
