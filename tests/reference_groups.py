"""The float64 oracle of group penalties and of projections.

The group prox is found by search and bisection over the norm r of the result, not by the formula of
the kernel: it knows only the value of phi, and min_x {sum (x-z)^2 / 2s : ||x|| = r}.
The projections sort everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def groups(shape: tuple[int, ...], over: object) -> list[Index]:
    """Positions of each group in C order: rows, columns, runs of one length, or ragged segments."""
    size = int(np.prod(shape))
    positions = np.arange(size)
    if over == "rows":
        return list(positions.reshape(shape[0], -1))
    if over == "columns":
        return list(positions.reshape(-1, shape[-1]).T)
    lengths = [over] * (size // over) if isinstance(over, int) else list(_ints(over))
    return np.split(positions, np.cumsum(lengths)[:-1]) if lengths else []


def _ints(over: object) -> Iterable[int]:
    assert isinstance(over, Iterable)
    return (int(n) for n in over)


def _on_sphere(z: Array, s: Array, r: Array) -> Array:
    """Closest points to z in the metric 1/s among ||x|| = r, one a row: z / (1 + mu s), mu >= 0."""
    low, high = np.zeros_like(r), np.full_like(r, 1.0)
    norm = lambda mu: np.linalg.norm(z / (1 + mu[:, None] * s), axis=1)  # noqa: E731
    while np.any(norm(high) > r):
        high = np.where(norm(high) > r, high * 4, high)
    for _ in range(70):
        middle = 0.5 * (low + high)
        above = norm(middle) > r
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return z / (1 + high[:, None] * s)


def group_prox(phi: Callable[[Array], Array], z: ArrayLike, s: ArrayLike) -> Array:
    """argmin_x phi(||x||) + sum_i (x_i - z_i)^2 / (2 s_i) for phi that does not decrease."""
    point = np.asarray(z, np.float64)
    step = np.broadcast_to(np.asarray(s, np.float64), point.shape)
    reach = float(np.linalg.norm(point))
    if reach == 0:
        return np.zeros_like(point)
    low, high, best = 0.0, reach, np.zeros_like(point)
    for _ in range(9):
        r = np.unique(np.concatenate([np.linspace(low, high, 41), [0.0, reach]]))
        x = np.zeros((r.size, point.size))
        x[1:-1] = _on_sphere(point, step, r[1:-1])
        x[-1] = point
        cost = phi(np.linalg.norm(x, axis=1)) + np.sum((x - point) ** 2 / (2 * step), axis=1)
        k = int(np.argmin(cost))
        best = x[k]
        width = (high - low) / 10
        low, high = max(0.0, r[k] - width), min(reach, r[k] + width)
    return best


def project_simplex(z: ArrayLike, radius: float) -> Array:
    """Held, Wolfe, Crowder (1974): sort, then shift by the threshold of the right sum."""
    point = np.asarray(z, np.float64).ravel()
    ordered = np.sort(point)[::-1]
    excess = (np.cumsum(ordered) - radius) / np.arange(1, point.size + 1)
    theta = excess[np.nonzero(ordered > excess)[0][-1]]
    return np.maximum(point - theta, 0.0).reshape(np.shape(z))


def project_l1_ball(z: ArrayLike, radius: float) -> Array:
    """Duchi et al. (2008): the simplex of the magnitudes, with the signs put back."""
    point = np.asarray(z, np.float64)
    if np.sum(np.abs(point)) <= radius:
        return point.copy()
    return np.copysign(project_simplex(np.abs(point), radius), point)


def project_linf_ball(z: ArrayLike, radius: float) -> Array:
    return np.minimum(np.maximum(np.asarray(z, np.float64), -radius), radius)


def project_top_k(z: ArrayLike, k: int) -> Array:
    """Blumensath and Davies (2008): sort by magnitude, NaN first, equal ones in their order."""
    point = np.asarray(z).ravel()
    size = np.abs(point.astype(np.float64))
    order = np.lexsort((-np.where(np.isnan(size), 0.0, size), ~np.isnan(size)))
    x = np.zeros_like(point)
    x[order[:k]] = point[order[:k]]
    return x.reshape(np.shape(z))


def keep_largest(
    arrays: Sequence[ArrayLike], k: int, steps: Sequence[ArrayLike] | None = None
) -> list[Any]:
    """Of all arrays together, in the order of memory: sort by |z| / sqrt(s), NaN first, 0/0 last.

    The scores are rounded as the core rounds them, so that its ties are ties here.
    """
    points = [np.asarray(a) for a in arrays]
    z = np.concatenate([p.ravel(order="K") for p in points])
    size = np.abs(z)
    if steps is not None:
        s = np.concatenate([np.asarray(s).ravel(order="K") for s in steps])
        with np.errstate(all="ignore"):
            size = np.where(z == 0, 0, size / np.sqrt(s)).astype(size.dtype)
    order = np.lexsort((-np.where(np.isnan(size), 0, size), ~np.isnan(size)))[:k]
    x = np.zeros_like(z)
    x[order] = z[order]
    ends = np.cumsum([p.size for p in points])[:-1]
    return [part.reshape(p.shape) for part, p in zip(np.split(x, ends), points, strict=True)]


def keep_n_of_m(z: ArrayLike, n: int, m: int, s: ArrayLike | None = None) -> Array:
    """Zhou et al. (2021) in the metric 1/s: sort each block by z^2 / s, NaN first, 0/0 last."""
    point = np.asarray(z)
    blocks = point.reshape(-1, m)
    size = np.abs(blocks.astype(np.longdouble))
    if s is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            score = size**2 / np.asarray(s).reshape(-1, m).astype(np.longdouble)
        size = np.where(size == 0, 0, score)
    order = np.lexsort((-np.where(np.isnan(size), 0, size), ~np.isnan(size)))[:, :n]
    x = np.zeros_like(blocks)
    np.put_along_axis(x, order, np.take_along_axis(blocks, order, 1), 1)
    return x.reshape(point.shape)


PROJECTIONS: dict[str, Callable[[ArrayLike, float], Array]] = {
    "L1Ball": project_l1_ball,
    "Simplex": project_simplex,
    "LinfBall": project_linf_ball,
}
