"""Directions of `Muon`: what its arrays step along in place of their gradients."""

from .directions import Directions
from .single import SingleStep, direction

__all__ = ["Directions", "SingleStep", "direction"]
