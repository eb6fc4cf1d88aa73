"""Labels of any kind as numbers from 0, and the weights of samples and classes as one."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from ..arrays import Array


def encoded(y: Any) -> tuple[Array, Array]:
    """Return the sorted classes, at least two, and the number of each sample's class."""
    check_classification_targets(y)
    encoder = LabelEncoder()
    codes = encoder.fit_transform(y)
    if len(encoder.classes_) < 2:
        only = encoder.classes_.tolist()[0]
        raise ValueError(f"y has one class only, {only!r}; at least two classes are needed")
    return encoder.classes_, codes


def weighted(weights: Array | None, class_weight: Any, classes: Array, codes: Array) -> Any:
    """Return the weights of samples times those of their classes, or None where all are 1."""
    if weights is not None:
        _check_present(weights, classes, codes)
    if class_weight is None:
        return weights
    factors = _class_factors(weights, class_weight, classes, codes)[codes]
    return factors if weights is None else weights * factors


def _class_factors(weights: Array | None, given: Any, classes: Array, codes: Array) -> Array:
    """Return one factor for each class; balanced classes have equal sums of weights."""
    if isinstance(given, str) and given == "balanced":
        sums = np.bincount(codes, weights, len(classes))
        return sums.sum() / (len(classes) * sums)
    if isinstance(given, str):
        raise ValueError(f'class_weight is {given!r}; a dict, "balanced" or None is needed')
    return compute_class_weight(given, classes=classes, y=classes)


def _check_present(weights: Array, classes: Array, codes: Array) -> None:
    sums = np.bincount(codes, weights, len(classes))
    if (sums == 0).any() and (weights >= 0).all():
        absent = classes.tolist()[int(np.argmax(sums == 0))]
        raise ValueError(f"all samples of class {absent!r} have sample_weight 0; leave them out")


class TwoClasses:
    """What a classifier of two classes says and refuses."""

    penalties: ClassVar[tuple[str, ...]] = ("l1", "l2", "elasticnet")

    def _encoded(self, y: Any) -> tuple[Array, Array]:
        classes, codes = encoded(y)
        if len(classes) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is multiclass: "
                f"y has {len(classes)} classes; SoftmaxRegression takes them"
            )
        return classes, codes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # of the classifier beside this
        tags.classifier_tags.multi_class = False
        return tags

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn 1.5
        return {"binary_only": True}
