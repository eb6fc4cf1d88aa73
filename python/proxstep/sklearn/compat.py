"""What scikit-learn 1.5 calls by another name than later versions; nothing else differs."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # 1.5: a method

    def validate_data(estimator: Any, *arguments: Any, **settings: Any) -> Any:
        """Check X (and y), and record or compare the features."""
        return estimator._validate_data(*arguments, **settings)


__all__ = ["validate_data"]
