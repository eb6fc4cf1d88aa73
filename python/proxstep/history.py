"""What a mini-batch run leaves behind: the parameters to use, and one number per epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array
from .margins import Margins
from .plotting import pyplot


@dataclass(frozen=True, eq=False)
class History(Margins):
    """Result of `proxstep.train`; the arrays have one entry per finished epoch.

    Attributes
    ----------
    x : ndarray, shape (p,) or (p, classes)
        Parameters after epoch `best_epoch`.
    intercept : float or ndarray of shape (classes,)
        Intercept beside them (0 without ``fit_intercept``).
    reason : str
        "finished", "early stopping", "diverged" or "interrupted".
    best_epoch : int
        Index of the epoch with the lowest validation loss, or without validation of the last one
        that was finished with a finite loss; -1 for the start.
    loss, objective, val_loss : ndarray
        Mean loss on the whole training data, that plus the penalty, and the loss on the
        validation data (NaN without).
    nonzeros : ndarray of int
        Elements of x that are not zero.
    lr : ndarray
        Learning rate of the epoch's last update.
    seconds : ndarray
        Time since the start.
    """

    x: Array
    intercept: Any
    reason: str
    best_epoch: int
    loss: Array
    objective: Array
    val_loss: Array
    nonzeros: Array
    lr: Array
    seconds: Array

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return int(self.loss.size)

    def __repr__(self) -> str:
        last = f"objective {self.objective[-1]:.6g}, " if self.epochs else ""
        return (
            f"History({self.reason} after {self.epochs} epochs: {last}best_epoch "
            f"{self.best_epoch}, {np.count_nonzero(self.x)} of {self.x.size} parameters "
            f"are not zero)"
        )

    def plot(self, ax: Any = None) -> Any:
        """Plot the losses, and the number of non-zeros on a second axis; return the axes.

        Parameters
        ----------
        ax : matplotlib axes or None
            Where to draw; by default a new figure.

        Raises
        ------
        ImportError
            If matplotlib is not installed; the message says what to install.
        """
        ax = pyplot().subplots()[1] if ax is None else ax
        epoch = np.arange(self.epochs)
        ax.plot(epoch, self.loss, label="training loss")
        if np.isfinite(self.val_loss).any():
            ax.plot(epoch, self.val_loss, label="validation loss")
        ax.set(xlabel="epoch", ylabel="loss")
        count = ax.twinx()
        count.plot(epoch, self.nonzeros, color="gray", linestyle=":")
        count.set_ylabel("non-zeros")
        ax.legend()
        return ax
