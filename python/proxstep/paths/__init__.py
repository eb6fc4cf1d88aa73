"""Many strengths of one penalty: paths, criteria along them, and cross-validation."""

from .cross_validation import cross_validate
from .follow import path
from .point import Point
from .result import Path
from .validation import CrossValidation

__all__ = ["CrossValidation", "Path", "Point", "cross_validate", "path"]
