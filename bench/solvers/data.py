"""Data of the cases: made ones of stated seeds, scikit-learn's digits, and files of shared data.

Each function returns X and y in float64; sparse X is CSR.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).parents[3] / "shared" / "data"
CORRELATION = 0.6  # of neighbouring columns
NOISE = 0.2  # standard deviation of the noise over that of the signal
PLANTED = 100  # coefficients of the truth that are not zero


class AbsentData(Exception):
    """A file of shared data is not here; the case is left out."""


def correlated(generator: np.random.Generator, n: int, p: int) -> Any:
    """Return columns of unit variance in which each resembles the one before, in Fortran order."""
    X = generator.standard_normal((p, n)).T
    for j in range(1, p):
        X[:, j] *= (1 - CORRELATION**2) ** 0.5
        X[:, j] += CORRELATION * X[:, j - 1]
    return X


def planted(generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
    w = np.zeros(shape)
    chosen = generator.choice(shape[0], min(PLANTED, shape[0] // 5), replace=False)
    w[chosen] = generator.standard_normal((len(chosen), *shape[1:]))
    return w


def with_noise(generator: np.random.Generator, signal: Any) -> Any:
    return signal + NOISE * signal.std() * generator.standard_normal(signal.shape)


def regression(n: int, p: int, outputs: int | None = None, seed: int = 0) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    X = correlated(generator, n, p)
    return X, with_noise(generator, X @ planted(generator, (p, outputs) if outputs else (p,)))


def centred_regression(n: int, p: int) -> tuple[Any, Any]:
    X, y = regression(n, p)
    X -= X.mean(axis=0)
    return X, y - y.mean()


def grouped_regression(n: int, p: int, size: int) -> tuple[Any, Any]:
    """Whole groups of coefficients differ from zero."""
    generator = np.random.default_rng(1)
    X = correlated(generator, n, p)
    w = planted(generator, (p // size, 1)) * generator.standard_normal((p // size, size))
    return X, with_noise(generator, X @ w.ravel())


def sparse_regression(n: int, p: int, in_row: int = 100) -> tuple[Any, Any]:
    from scipy import sparse

    generator = np.random.default_rng(2)
    X = sparse.random_array(
        (n, p), density=in_row / p, rng=generator, data_sampler=generator.standard_normal
    )
    X = sparse.csr_matrix(X)
    w = np.zeros(p)
    w[: p // 100] = generator.standard_normal(p // 100)
    return X, with_noise(generator, X @ w)


def classification(n: int, p: int, classes: int) -> tuple[Any, Any]:
    """Classes drawn from a softmax model, where about a fifth of the labels surprise."""
    generator = np.random.default_rng(3)
    X = np.ascontiguousarray(correlated(generator, n, p))
    u = X @ planted(generator, (p, classes))
    return X, np.argmax(0.5 * u + generator.gumbel(size=u.shape), axis=1)


def documents(n: int, vocabulary: int, classes: int, length: int = 120) -> tuple[Any, Any]:
    """Tf-idf of words drawn by Zipf's law, a third of them from the document's topic."""
    from scipy import sparse

    generator = np.random.default_rng(4)
    y = generator.integers(classes, size=n)
    words = generator.zipf(1.3, size=(n, length)) % vocabulary
    topic = (7919 * (y[:, None] + 1) + generator.zipf(1.6, size=(n, length))) % vocabulary
    words = np.where(generator.random((n, length)) < 1 / 3, topic, words)
    rows = np.repeat(np.arange(n), length)
    counts = sparse.coo_matrix((np.ones(n * length), (rows, words.ravel())), (n, vocabulary))
    return tf_idf(counts.tocsr()), y


def many(problems: int, n: int, p: int, shared: bool) -> tuple[Any, Any]:
    generator = np.random.default_rng(5)
    X = generator.standard_normal((n, p) if shared else (problems, n, p))
    w = np.where(generator.random((problems, p)) < 0.2, generator.standard_normal((problems, p)), 0)
    u = w @ X.T if shared else np.einsum("mnp,mp->mn", X, w)
    return X, with_noise(generator, u)


def tf_idf(counts: Any) -> Any:
    """Return counts times ``log((1 + n) / (1 + documents with the word)) + 1``, rows of norm 1."""
    from scipy import sparse

    n = counts.shape[0]
    seen_in = np.bincount(counts.indices, minlength=counts.shape[1])
    X = counts @ sparse.diags_array(np.log((1 + n) / (1 + seen_in)) + 1)
    norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags_array(1 / np.maximum(norms, 1e-300)) @ X)


def digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


def expression(name: str) -> tuple[Any, Any]:
    """Gene expression with standardised columns: golub or alon."""
    stored = np.load(shared(f"{name}.npz"))
    X = stored["X"].astype(np.float64)
    return (X - X.mean(axis=0)) / X.std(axis=0), _two_classes(stored["y"])


def adult() -> tuple[Any, Any]:
    from scipy import sparse

    X = sparse.csr_matrix(sparse.load_npz(shared("a9a.npz")).astype(np.float64))
    return X, _two_classes(np.load(shared("a9a_y.npy")))


def messages() -> tuple[Any, Any]:
    """Tf-idf of the words and pairs of words of the SMS collection."""
    from scipy import sparse

    lines = shared("sms_spam.tsv").read_text(encoding="utf-8").splitlines()[1:]
    labels, texts = zip(*(line.split("\t", 1) for line in lines), strict=True)
    columns: dict[str, int] = {}
    rows, indices, counts = [], [], []
    for row, text in enumerate(texts):
        for gram, count in Counter(grams(text)).items():
            rows.append(row)
            indices.append(columns.setdefault(gram, len(columns)))
            counts.append(float(count))
    matrix = sparse.coo_matrix((counts, (rows, indices)), (len(texts), len(columns)))
    return tf_idf(matrix.tocsr()), np.array([label == "spam" for label in labels], np.float64)


def grams(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return words + [" ".join(pair) for pair in pairwise(words)]


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        raise AbsentData(f"{name} is not in ../shared/data")
    return path


def _two_classes(y: Any) -> Any:
    return (y == y.max()).astype(np.float64)
