"""The figures of docs/paths.md: a lasso path and its cross-validation. Takes about ten seconds.

    python docs/examples/paths_of_diabetes.py [FOLDER]

Needs scikit-learn (whose bundled data it takes) and matplotlib; no network.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import proxstep as ps
from sklearn.datasets import load_diabetes

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main(folder: Path) -> None:
    data = load_diabetes()
    problem = ps.LeastSquares(data.data, data.target)
    validation = ps.cross_validate(problem, ps.L1(1.0), folds=10)
    print(validation.path)
    print(validation)

    figure, ax = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    validation.path.plot(ax, labels=data.feature_names)
    figure.savefig(folder / "path.png", dpi=120)

    figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    validation.plot(ax)
    figure.savefig(folder / "cross-validation.png", dpi=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
