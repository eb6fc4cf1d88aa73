"""What every test of a bad input does: the call raises, names the values, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import assert_same_bits, normal

RULE, PENALTY = ps.AdamW(0.11, eps=0.017), ps.L1(0.37)


@contextmanager
def refused(error: Any, *patterns: str, keep: Sequence[Any] = ()) -> Iterator[None]:
    """The block raises, its message has every pattern, and the arrays keep their bytes."""
    before = [np.array(a, copy=True) for a in keep]
    with pytest.raises(error) as caught:
        yield
    for pattern in patterns:
        assert re.search(pattern, str(caught.value)), str(caught.value)
    for array, copy in zip(keep, before, strict=True):
        assert_same_bits(np.asarray(array), copy)


def fresh(shape: tuple[int, ...] = (12,), dtype: str = "float64") -> tuple[Any, Any, Any]:
    """Parameters, a gradient and a state for `RULE`."""
    x, g = normal(shape, dtype, seed=1), normal(shape, dtype, seed=2)
    return x, g, RULE.init(x)
