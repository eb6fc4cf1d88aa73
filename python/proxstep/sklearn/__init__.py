"""Estimators of scikit-learn's shape over `proxstep.solve`; imported only when asked for.

Parameters have scikit-learn's names and scaling; see docs/estimators.md for the differences.
"""

try:
    import sklearn as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        'proxstep.sklearn needs scikit-learn: pip install "proxstep[sklearn]"'
    ) from error

from .base import ConvergenceWarning
from .classification import SoftmaxRegression, SparseLogisticRegression
from .classification_cv import SoftmaxRegressionCV, SparseLogisticRegressionCV
from .grouped import GroupLasso, SparseGroupLasso
from .multitask import MultiTaskLasso
from .regression import ElasticNet, Lasso
from .regression_cv import (
    ElasticNetCV,
    GroupLassoCV,
    LassoCV,
    MultiTaskLassoCV,
    SparseGroupLassoCV,
)

__all__ = [
    "ConvergenceWarning",
    "ElasticNet",
    "ElasticNetCV",
    "GroupLasso",
    "GroupLassoCV",
    "Lasso",
    "LassoCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "SoftmaxRegression",
    "SoftmaxRegressionCV",
    "SparseGroupLasso",
    "SparseGroupLassoCV",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
]
