"""Which samples each fold trains on and which it holds out; X is never split.

A sample is out of a fold by a weight of 0. Letters: n samples, k the number of a fold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import integer
from ..problems import Logistic, Problem, Softmax


@dataclass(frozen=True)
class Split:
    """Weights of the samples in training, and rows that are held out with their weights."""

    train: Array
    test: Array


def splits(problem: Problem, folds: Any, seed: int) -> list[Split]:
    """Return the splits of all folds; errors name the fold."""
    counts = _counts(problem, folds, seed)
    labels, weights = classes_of(problem), _weights(problem)
    parts = [Split(weights * train, weights * test) for train, test in counts]
    for k, part in enumerate(parts):
        _check(k, part, labels)
    return parts


def classes_of(problem: Problem) -> Array | None:
    """Return the class of each sample, or None where y are no classes."""
    targets = problem.xp.to_host(problem.targets)
    if isinstance(problem, Softmax) and targets.ndim == 1:
        return targets
    if isinstance(problem, Logistic) and np.isin(targets, (0, 1)).all():
        return targets.astype(np.int64)
    return None


def _weights(problem: Problem) -> Array:
    n = problem.X.shape[0]
    exact = problem.weights.exact
    return np.ones(n) if exact is None else problem.xp.to_host(exact) * n


def _counts(problem: Problem, folds: Any, seed: int) -> list[tuple[Array, Array]]:
    """Return how often each sample is trained on and held out, fold by fold."""
    n, folds = problem.X.shape[0], _in_numpy(folds)
    if not isinstance(folds, Iterable):
        if hasattr(folds, "split"):
            raise TypeError(f"folds is {folds!r}; pass its folds, folds.split(X, y)")
        return _by_number(_dealt(problem, _number(folds, n), seed))
    given = list(folds)
    if not given:
        raise ValueError("there are no folds; an iterator serves once, a list again and again")
    if not any(hasattr(item, "__len__") for item in given):
        return _by_number(_numbers(given, n))
    return [_pair(k, item, n) for k, item in enumerate(given)]


def _in_numpy(folds: Any) -> Any:
    """Return fold numbers of any library as NumPy's; a number of folds and pairs as they are."""
    if not hasattr(folds, "__array__"):
        return folds
    numbers = np.asarray(folds)
    return numbers if numbers.ndim else folds


def _number(folds: Any, n: int) -> int:
    number = integer("folds", folds)
    if not 2 <= number <= n:
        raise ValueError(f"folds is {number}; between 2 and the {n} samples are possible")
    return number


def _dealt(problem: Problem, folds: int, seed: int) -> Array:
    """Deal the shuffled samples out in turn, class by class."""
    n = problem.X.shape[0]
    order = np.random.default_rng(seed).permutation(n)
    labels = classes_of(problem)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    numbers = np.empty(n, np.int64)
    numbers[order] = np.arange(n) % folds
    return numbers


def _numbers(given: list[Any], n: int) -> Array:
    numbers = np.asarray(given)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"fold numbers must be integers, got dtype {numbers.dtype}")
    if numbers.shape != (n,):
        raise ValueError(f"folds has {numbers.size} fold numbers, there are {n} samples")
    return numbers


def _by_number(numbers: Array) -> list[tuple[Array, Array]]:
    """Return a fold for each number; samples of a negative one are never held out."""
    names = np.unique(numbers[numbers >= 0])
    if names.size < 2:
        raise ValueError(f"folds has {names.size} different numbers; at least 2 are needed")
    held_out = [(numbers == name).astype(np.float64) for name in names]
    return [(1.0 - test, test) for test in held_out]


def _pair(k: int, pair: Any, n: int) -> tuple[Array, Array]:
    if not hasattr(pair, "__len__") or len(pair) != 2:
        raise TypeError(f"fold {k} is {pair!r}; a pair of index arrays (train, test) is needed")
    train, test = (_times_chosen(k, chosen, n) for chosen in pair)
    both = np.flatnonzero((train > 0) & (test > 0))
    if both.size:
        raise ValueError(
            f"fold {k} trains on sample {both[0]} and holds it out as well; samples in both: "
            f"{both.size}"
        )
    return train, test


def _times_chosen(k: int, chosen: Any, n: int) -> Array:
    index = np.asarray(chosen)
    index = np.flatnonzero(index) if index.dtype == bool and index.shape == (n,) else index
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise TypeError(f"fold {k} has indices of dtype {index.dtype} and shape {index.shape}")
    if index.size and not (index.min() >= 0 and index.max() < n):
        raise ValueError(
            f"fold {k} has indices from {index.min()} to {index.max()}, there are {n} samples"
        )
    return np.bincount(index, minlength=n).astype(np.float64)


def _check(k: int, part: Split, labels: Array | None) -> None:
    for name, weights in (("training", part.train), ("held-out", part.test)):
        if not weights.any():
            raise ValueError(f"fold {k} has no {name} sample with a weight")
    if labels is None:
        return
    seen = np.union1d(labels[part.train > 0], labels[part.test > 0])
    absent = np.setdiff1d(seen, labels[part.train > 0])
    if absent.size:
        raise ValueError(
            f"fold {k} has no training sample of class {absent[0]}, which it holds out; fewer or "
            f"other folds are needed"
        )
