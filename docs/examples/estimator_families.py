"""The figures of docs/lasso.md, groups.md, multitask.md, logistic.md and softmax.md.

    python docs/examples/estimator_families.py [FOLDER]

Needs scikit-learn (whose bundled data it takes) and matplotlib; no network. Takes half a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import proxstep as ps
from proxstep.sklearn import (
    GroupLassoCV,
    LassoCV,
    MultiTaskLassoCV,
    SoftmaxRegressionCV,
    SparseGroupLassoCV,
    SparseLogisticRegressionCV,
)
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import KFold
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

FOLDS = KFold(10, shuffle=True, random_state=0)
BLUE, ORANGE = "#0b5fa5", "#c2571a"


def strength_axis(ax: Axes, label: str) -> None:
    """Strengths fall to the right, as everywhere."""
    ax.axhline(0.0, color="gray", linewidth=0.6)
    ax.set(xscale="log", xlabel="strength λ", ylabel=label)
    ax.xaxis.set_inverted(True)
    ax.spines[["top", "right"]].set_visible(False)


def draw_effects(ax: Axes, validation: ps.CrossValidation, X: np.ndarray) -> None:
    """Coefficients times the deviations of their columns: they are in different units."""
    ax.plot(validation.lambdas, validation.path.x * X.std(axis=0), linewidth=1.2)
    ax.axvline(validation.one_standard_error.lam, color=ORANGE, linestyle=":", linewidth=1.8)
    strength_axis(ax, "coefficient × deviation of its column")


def draw_scores(ax: Axes, validation: ps.CrossValidation, color: str, label: str) -> None:
    """Held-out losses over the strength, their standard errors shaded."""
    mean, error = validation.mean, validation.standard_error
    ax.plot(validation.lambdas, mean, color=color, label=label)
    ax.fill_between(validation.lambdas, mean - error, mean + error, color=color, alpha=0.12)
    ax.axvline(validation.one_standard_error.lam, color=color, linestyle=":")


def draw_pixels(ax: Axes, used: np.ndarray, title: str) -> None:
    """The norm of each pixel's row of parameters; white where no output uses it."""
    shown = np.ma.masked_equal(used.reshape(-1, 8), 0.0)
    ax.imshow(shown, cmap="Blues", vmin=0.0)
    ax.set(xticks=[], yticks=[], title=title)


def lasso(left: Axes, right: Axes) -> None:
    """The diabetes data with squares and products of its columns."""
    X, y = load_diabetes(return_X_y=True)
    X = PolynomialFeatures(2, include_bias=False).fit_transform(X)
    model = LassoCV(cv=FOLDS, choice="one_standard_error", standardize=True).fit(X, y)
    print(model.validation_)
    draw_effects(left, model.validation_, X)
    model.validation_.plot(right)


def groups(left: Axes, right: Axes) -> None:
    """An additive model: six splines for each of nine features."""
    data = load_diabetes(scaled=False)
    X = SplineTransformer(5, include_bias=False).fit_transform(np.delete(data.data, 1, axis=1))
    names = np.delete(data.feature_names, 1)
    for make, color in ((GroupLassoCV, BLUE), (SparseGroupLassoCV, ORANGE)):
        model = make(6, cv=FOLDS, group_weights="sqrt", standardize=True).fit(X, data.target)
        print(model.validation_)
        draw_scores(right, model.validation_, color, make.__name__[:-2])
        if make is GroupLassoCV:
            draw_groups(left, model.validation_.path, X, names)
    strength_axis(right, "held-out mean loss")
    right.set_ylim(1300, 3100)
    right.legend(frameon=False)


def draw_groups(ax: Axes, path: ps.Path, X: np.ndarray, names: np.ndarray) -> None:
    """The deviation of what each feature adds to the prediction."""
    parts = [(X[:, 6 * g : 6 * g + 6] @ path.x[:, 6 * g : 6 * g + 6].T) for g in range(9)]
    for part, name in zip(parts, names, strict=True):
        ax.plot(path.lambdas, part.std(axis=0), label=name)
    strength_axis(ax, "deviation of a feature's part")
    ax.set_ylim(-1, 38)
    ax.legend(frameon=False, ncols=5, loc="upper left", fontsize=9)


def multitask(left: Axes, right: Axes) -> None:
    """The lower halves of digits from their upper halves: 32 targets, 32 features."""
    X = load_digits().data / 16
    model = MultiTaskLassoCV(alphas=20, eps=0.02, cv=3, choice="one_standard_error")
    model.fit(X[:, :32], X[:, 32:])
    print(model.validation_)
    model.validation_.plot(left)
    norms = np.linalg.norm(model.coef_, axis=0)
    draw_pixels(right, norms, f"{(norms > 0).sum()} of 32 upper pixels serve")


def logistic(left: Axes, right: Axes) -> None:
    """Benign or malignant, from 30 measurements."""
    X, y = load_breast_cancer(return_X_y=True)
    model = SparseLogisticRegressionCV(
        Cs=60, cv=10, choice="one_standard_error", standardize=True
    ).fit(X, y)
    print(model.validation_)
    draw_effects(left, model.validation_, X)
    model.validation_.plot(right).legend(
        frameon=False, loc="upper right", bbox_to_anchor=(0.58, 1.0)
    )


def softmax(left: Axes, right: Axes) -> None:
    """Digits: single coefficients or whole pixels."""
    X, y = load_digits(return_X_y=True)
    for penalty, color in (("l1", ORANGE), ("rows", BLUE)):
        model = SoftmaxRegressionCV(penalty, Cs=12, eps=0.01, cv=3, choice="one_standard_error")
        validation = model.fit(X / 16, y).validation_
        print(validation)
        pixels = [(point.x != 0).any(axis=1).sum() for point in validation.path]
        left.plot(pixels, validation.mean, "o-", color=color, markersize=4, label=penalty)
    left.set(xlabel="pixels in use", ylabel="held-out log loss", ylim=(0, None))
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    norms = np.linalg.norm(model.coef_, axis=0)
    draw_pixels(right, norms, f"rows: {(norms > 0).sum()} of 64 pixels serve")


FIGURES: dict[str, Callable[[Axes, Axes], None]] = {
    "lasso": lasso,
    "groups": groups,
    "multitask": multitask,
    "logistic": logistic,
    "softmax": softmax,
}


def main(folder: Path) -> None:
    for name, draw in FIGURES.items():
        figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        draw(*axes)
        figure.savefig(folder / f"{name}.png", dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
