"""The stand-in for CuPy has to be as strict as what it stands in for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_cupy import METER, make_module
from proxstep.arrays import on_host


@pytest.mark.parametrize(
    "mix",
    [
        lambda a, b: a + b,
        lambda a, b: b + a,
        lambda a, b: a.__setitem__(slice(None), b),
        lambda a, b: a[b.astype(int)],
        lambda a, b: np.asarray(a),
        np.add,
        lambda a, b: b.__iadd__(a),
        lambda a, b: make_module().multiply(a, b),
        lambda a, b: make_module().multiply(a, 2.0, out=b),
    ],
)
def test_it_mixes_with_no_other_array(mix: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(TypeError):
        mix(make_module().ones(3), np.ones(3))


def test_every_reading_counts(cupy: Any) -> None:
    METER.reset()
    x = cupy.ones(3)
    mean = (2 * x).sum() / 3
    assert METER.reads == 0
    assert (float(mean), int(cupy.count_nonzero(x)), bool(mean > 1.0)) == (2.0, 3, True)
    assert on_host(x[x > 0.5]).size == 3
    assert METER.reads == 5


def test_new_memory_holds_nothing() -> None:
    assert np.isnan(make_module().empty((2, 3)).host).all()
