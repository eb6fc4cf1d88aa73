"""Exact zeros for PyTorch: optimizers whose step ends in a prox. Needs torch, ``proxstep[torch]``.

>>> import torch, proxstep as ps
>>> from proxstep.torch import ProxAdamW, sparsity_report
>>> model = torch.nn.Linear(3, 2)
>>> optimizer = ProxAdamW(model.parameters(), lr=0.1, penalty=ps.L1(1e4))
>>> model(torch.ones(1, 3)).square().mean().backward()
>>> optimizer.step()
>>> sparsity_report(model).tensors[0].zeros
6
"""

from .base import ProxOptimizer
from .compaction import CompactAttention, CompactionError, CompactionSummary, compact
from .optimizers import ProxAdagrad, ProxAdamW, ProxRDA
from .report import SparsityReport, TensorSparsity, sparsity_report
from .semi_structured import to_semi_structured
from .sgd import ProxSGD

__all__ = [
    "CompactAttention",
    "CompactionError",
    "CompactionSummary",
    "ProxAdagrad",
    "ProxAdamW",
    "ProxOptimizer",
    "ProxRDA",
    "ProxSGD",
    "SparsityReport",
    "TensorSparsity",
    "compact",
    "sparsity_report",
    "to_semi_structured",
]
