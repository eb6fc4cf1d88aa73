"""Bases of columns that may be nearly, or wholly, dependent. The columns have sizes of about 1.

Nothing of the size of X is computed but columns times small matrices, and their Gram matrices, so
that one file serves all libraries.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..problems.weights import SampleWeights

_ALIKE = 1e-6  # part of a Gram matrix's trace: with less along a direction, columns are alike
_SEEN = 1e-12  # likewise: what is less there is rounding, and seen by the next matrix
_PASSES = 5
_NOISE = 8  # units of rounding, in entries


def base_of(columns: Array, weights: SampleWeights, rounding: Any) -> tuple[Array, Any]:
    """Return a base of the columns' span, and the columns in its coordinates, on the host.

    Rounding is a number a column. Columns that are not alike are their own base. Others get an
    orthonormal one (in the weights) by passes that lengthen the shortest directions, until Gram
    matrices see them: what columns have beside each other is computed from all their digits. See
    Fukaya et al., "Shifted Cholesky QR", SIAM J. Scientific Computing 2020.
    """
    gram = weights.squares(columns)
    coordinates, base = np.eye(len(gram)), columns
    alike = max(_ALIKE, np.max(rounding, initial=0.0) ** 2) * gram.trace()
    usable = len(gram) > 0 and np.isfinite(gram).all()
    if not usable or np.linalg.eigvalsh(gram)[0] > alike:
        return base, coordinates
    noise = np.full(len(gram), _NOISE * weights.xp.eps(columns.dtype))
    for _ in range(_PASSES):
        values, vectors = np.linalg.eigh(gram)
        units = np.sqrt(np.maximum(values, _SEEN * gram.trace()))
        base = base @ weights.xp.asarray(vectors / units, base.dtype)
        coordinates = units[:, None] * (vectors.T @ coordinates)
        noise = np.sqrt(vectors.T**2 @ noise**2) / units
        gram = weights.squares(base)
        left = np.flatnonzero(np.sqrt(gram.diagonal()) > noise)
        if len(left) < len(gram):
            base, gram = base[:, weights.xp.asarray(left, weights.xp.int64)], gram[left][:, left]
            coordinates, noise = coordinates[left], noise[left]
        if np.allclose(gram, np.eye(len(gram)), atol=1e-3):
            break
    return base, coordinates


def independent(columns: Any, rounding: Any) -> Any:
    """Return an orthonormal basis of small columns, but for what is rounding beside the others.

    Those with the least rounding come first: the others are measured beside them.
    """
    basis, count = np.zeros((len(columns), len(rounding))), 0
    for j in np.argsort(rounding, kind="stable"):
        rest, found = columns[:, j], basis[:, :count]
        for _ in range(2):  # the second takes off what the first left of rounding
            rest = rest - found @ (found.T @ rest)
        size = np.linalg.norm(rest)
        if size > rounding[j]:
            basis[:, count] = rest / size
            count += 1
    return basis[:, :count]
