"""The removal of dead neurons, channels and heads from a model."""

from .attention import CompactAttention
from .compact import compact
from .summary import CompactionSummary
from .verification import CompactionError

__all__ = ["CompactAttention", "CompactionError", "CompactionSummary", "compact"]
