"""The same steps as NumPy expressions: as they are written first, and with ``out=`` throughout.

Objects that are called once a step. The plain forms make new arrays, their `x` among them; the
others work in the arrays they are given, with scratch that is made once.
"""

from __future__ import annotations

import numpy as np
from workload import BETAS, EPS, LAM, LR, MOMENTUM, WEIGHT_DECAY, Arrays

KEEP = 1 - LR * WEIGHT_DECAY


def soft(z: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    return np.sign(z) * np.maximum(np.abs(z) - t, 0)


def soft_in_place(z: np.ndarray, t: float, work: np.ndarray) -> None:
    """One clip, one subtraction."""
    np.clip(z, -t, t, out=work)
    np.subtract(z, work, out=z)


class Adam:
    """AdamW + L1 in Adam's metric."""

    def __init__(self, arrays: Arrays) -> None:
        self.x, self.g, (self.m, self.v) = arrays.x, arrays.g, arrays.moments
        self.t = 0

    def __call__(self) -> None:
        self.t += 1
        self.m = BETAS[0] * self.m + (1 - BETAS[0]) * self.g
        self.v = BETAS[1] * self.v + (1 - BETAS[1]) * self.g**2
        s = LR / (np.sqrt(self.v / (1 - BETAS[1] ** self.t)) + EPS)
        z = KEEP * self.x - s * self.m / (1 - BETAS[0] ** self.t)
        self.x = soft(z, LAM * s)


class AdamInPlace(Adam):
    """No allocation."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__(arrays)
        self.s, self.work = np.empty_like(arrays.x), np.empty_like(arrays.x)

    def __call__(self) -> None:
        self.t += 1
        x, g, m, v, s, work = self.x, self.g, self.m, self.v, self.s, self.work
        np.multiply(m, BETAS[0], out=m)
        np.multiply(g, 1 - BETAS[0], out=work)
        np.add(m, work, out=m)
        np.multiply(g, g, out=work)
        np.multiply(work, 1 - BETAS[1], out=work)
        np.multiply(v, BETAS[1], out=v)
        np.add(v, work, out=v)
        np.multiply(v, 1 / (1 - BETAS[1] ** self.t), out=s)
        np.sqrt(s, out=s)
        np.add(s, EPS, out=s)
        np.divide(LR, s, out=s)
        np.multiply(s, m, out=work)
        np.multiply(work, 1 / (1 - BETAS[0] ** self.t), out=work)
        np.multiply(x, KEEP, out=x)
        np.subtract(x, work, out=x)
        np.multiply(s, LAM, out=s)
        np.clip(x, np.negative(s, out=work), s, out=work)
        np.subtract(x, work, out=x)


class Fista:
    """The proximal gradient step from y, and the extrapolation to the next y."""

    def __init__(self, arrays: Arrays) -> None:
        self.x, self.g, (self.y,) = arrays.x, arrays.g, arrays.moments
        self.t = 0

    def __call__(self) -> None:
        self.t += 1
        x_new = soft(self.y - LR * self.g, LR * LAM)
        self.y = x_new + (self.t - 1) / (self.t + 2) * (x_new - self.x)
        self.x = x_new


class FistaInPlace(Fista):
    """No allocation: x and y take each other's memory in turns."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__(arrays)
        self.work = np.empty_like(arrays.x)

    def __call__(self) -> None:
        self.t += 1
        x_old, x_new = self.x, self.y
        np.multiply(self.g, LR, out=self.work)
        np.subtract(x_new, self.work, out=x_new)
        soft_in_place(x_new, LR * LAM, self.work)
        np.subtract(x_new, x_old, out=x_old)
        np.multiply(x_old, (self.t - 1) / (self.t + 2), out=x_old)
        np.add(x_new, x_old, out=x_old)
        self.x, self.y = x_new, x_old


class Momentum:
    """Heavy ball + L1."""

    def __init__(self, arrays: Arrays) -> None:
        self.x, self.g, (self.velocity,) = arrays.x, arrays.g, arrays.moments

    def __call__(self) -> None:
        self.velocity = MOMENTUM * self.velocity + self.g
        self.x = soft(self.x - LR * self.velocity, LR * LAM)


class MomentumInPlace(Momentum):
    """No allocation."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__(arrays)
        self.work = np.empty_like(arrays.x)

    def __call__(self) -> None:
        np.multiply(self.velocity, MOMENTUM, out=self.velocity)
        np.add(self.velocity, self.g, out=self.velocity)
        np.multiply(self.velocity, LR, out=self.work)
        np.subtract(self.x, self.work, out=self.x)
        soft_in_place(self.x, LR * LAM, self.work)


class Gradient:
    """The proximal gradient step."""

    def __init__(self, arrays: Arrays) -> None:
        self.x, self.g = arrays.x, arrays.g

    def __call__(self) -> None:
        self.x = soft(self.x - LR * self.g, LR * LAM)


class GradientInPlace(Gradient):
    """No allocation."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__(arrays)
        self.work = np.empty_like(arrays.x)

    def __call__(self) -> None:
        np.multiply(self.g, LR, out=self.work)
        np.subtract(self.x, self.work, out=self.x)
        soft_in_place(self.x, LR * LAM, self.work)
