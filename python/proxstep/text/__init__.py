"""Text classification: hashed n-grams into a sparse softmax; see TextClassifier.

The classifier is imported when it is first asked for: the command line needs only the settings.
"""

from typing import TYPE_CHECKING, Any

from ..lm.extras import COMMAND
from .config import TextConfig

if TYPE_CHECKING:
    from .classifier import TextClassifier

EXTRA = "text"
INSTALL = COMMAND.format(EXTRA)

__all__ = ["TextClassifier", "TextConfig"]


def __getattr__(name: str) -> Any:
    """Import the classifier, and with it scikit-learn."""
    if name != "TextClassifier":
        raise AttributeError(f"module 'proxstep.text' has no attribute {name!r}")
    from ..lm.extras import require

    require("sklearn", "proxstep.text", EXTRA)
    from .classifier import TextClassifier

    return TextClassifier
