"""Update rules: (x, g, moments) -> (z, s). One file for a family; base.py holds what all share."""

from .accelerated import FISTA
from .adaptive import Adagrad, Adam, AdamW
from .averaging import FTRL, RDA
from .base import Moments, Rule, State, check_moments
from .momentum import SGD, Momentum, Nesterov
from .orthogonal import Muon
from .sign import Lion

__all__ = [
    "FISTA",
    "FTRL",
    "RDA",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "Moments",
    "Momentum",
    "Muon",
    "Nesterov",
    "Rule",
    "State",
    "check_moments",
]
