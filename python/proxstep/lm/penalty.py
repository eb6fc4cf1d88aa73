"""Penalties by name, and the weights that each falls on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import proxstep as ps

from .names import check_name

Maker = Callable[[float, tuple[int, ...]], Any]

PENALTIES: dict[str, Maker] = {
    "none": lambda lam, shape: None,
    "l1": lambda lam, shape: ps.L1(lam),
    "l0": lambda lam, shape: ps.L0(lam),
    "mcp": lambda lam, shape: ps.MCP(lam),
    "scad": lambda lam, shape: ps.SCAD(lam),
    "l1-2": lambda lam, shape: ps.L1_2(lam),
    "l2-3": lambda lam, shape: ps.L2_3(lam),
    "squared-l2": lambda lam, shape: ps.SquaredL2(lam),
    "elastic-net": lambda lam, shape: ps.ElasticNet(lam, lam),
    "group-rows": lambda lam, shape: ps.Group(ps.L1(lam * shape[1] ** 0.5), over="rows"),
    "group-columns": lambda lam, shape: ps.Group(ps.L1(lam * shape[0] ** 0.5), over="columns"),
    "sparse-group-rows": lambda lam, shape: ps.SparseGroup(lam, lam * shape[1] ** 0.5, over="rows"),
    "2:4": lambda lam, shape: ps.NM(2, 4),
}
SCOPES = ("matrices", "hidden")


def make_penalty(name: str, lam: float, shape: tuple[int, ...]) -> Any:
    """Return the penalty of that name for a weight of shape (out, in); None for "none".

    A group of n weights counts √n times `lam` (Yuan and Lin 2006, equation 2.2), so that one
    strength suits every penalty; 2:4 has none. A row holds what feeds one output, a column what one
    input feeds.

    Raises
    ------
    ValueError
        If the name is unknown or `lam` is negative.
    """
    check_name("penalty", name, PENALTIES)
    return PENALTIES[name](lam, shape)


def is_penalized(name: str, ndim: int, scope: str) -> bool:
    """Tell whether a weight is under the penalty; 1-D gains never are.

    "matrices" (the default): every 2-D weight, the embeddings and an untied head included;
    a tied head is the token embedding and is penalised once. "hidden": those of the blocks.

    Examples
    --------
    >>> [is_penalized("token_embedding", 2, scope) for scope in SCOPES]
    [True, False]
    >>> is_penalized("blocks.0.norm1", 1, "hidden")
    False
    """
    check_name("scope", scope, SCOPES)
    return ndim == 2 and (scope == "matrices" or name.startswith("blocks."))
