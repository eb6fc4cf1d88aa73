"""Steps on CuPy's arrays: ours, and AdamW with L1 as one kernel that CuPy makes of a formula."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import proxstep as ps
from workload import ADAMW, BETAS, EPS, LAM, LR, PENALTY, WEIGHT_DECAY

N = 1000
# The prox in Adam's metric: the step s of an element is its own.
FORMULA = """
m = b1 * m + (1 - b1) * g;
v = b2 * v + (1 - b2) * g * g;
float s = lr / (sqrtf(v * unbias2) + eps);
float z = x * (1 - lr * decay) - s * m * unbias1;
x = z - fminf(fmaxf(z, -lam * s), lam * s);
"""
NUMBERS = ("b1", "b2", "unbias1", "unbias2", "lr", "eps", "decay", "lam")


@cache
def kernel() -> Any:
    import cupy

    numbers = ", ".join(f"float32 {name}" for name in NUMBERS)
    return cupy.ElementwiseKernel(
        f"float32 g, {numbers}", "float32 x, float32 m, float32 v", FORMULA, "adamw_l1"
    )


def arrays() -> tuple[Any, ...]:
    import cupy

    x, g, m = (cupy.random.standard_normal(N, dtype=cupy.float32) for _ in range(3))
    return x, g, m, abs(m)


def ours() -> Callable[[], Any]:
    x, g, m, v = arrays()
    state = ps.State(0, dict(zip(ADAMW.moments, (m, v), strict=True)))
    return partial(ps.step, x, g, ADAMW, PENALTY, state)


class OneKernel:
    """Its step number is counted, as ours is."""

    def __init__(self, x: Any, g: Any, m: Any, v: Any) -> None:
        self.x, self.g, self.m, self.v, self.steps = x, g, m, v, 0

    def __call__(self) -> None:
        self.steps += 1
        unbias = [1 / (1 - beta**self.steps) for beta in BETAS]
        numbers = (*BETAS, *unbias, LR, EPS, WEIGHT_DECAY, LAM)
        kernel()(self.g, *numbers, self.x, self.m, self.v)


MAKERS: dict[str, Callable[[], Callable[[], Any]]] = {
    "proxstep, CuPy's arrays": ours,
    "CuPy ElementwiseKernel": lambda: OneKernel(*arrays()),
}
