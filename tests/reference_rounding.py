"""The oracle of stochastic rounding: the random bits in integers, the rounding in float64."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

GOLDEN, WORD = 0x9E3779B97F4A7C15, 2**64 - 1
PURPOSES = ("parameter", "moments")
SMALLEST_EXPONENT = {"bfloat16": -126, "float16": -14}  # of a normal number
DIGITS = {"bfloat16": 7, "float16": 10}  # binary, after the point


def _mixed(v: int) -> int:
    v = (v ^ v >> 30) * 0xBF58476D1CE4E5B9 & WORD
    v = (v ^ v >> 27) * 0x94D049BB133111EB & WORD
    return v ^ v >> 31


def random_bits(index: Any, seed: int, step: int, array: int, purpose: str, upper: int = 0) -> Any:
    """One 32-bit word per index: its lower 32 bits, `upper` are the others."""
    v = 0
    for part in (seed, step, array, upper << 1 | PURPOSES.index(purpose)):
        v = _mixed((v ^ part) + GOLDEN & WORD)
    word = np.asarray(index, np.uint32) * np.uint32(GOLDEN >> 32) + np.uint32(v & 0xFFFFFFFF)
    word = ((word ^ word >> np.uint32(15)) + np.uint32(v >> 32)) * np.uint32(0x846CA68B)
    return word ^ word >> np.uint32(16)


def fraction(bits: Any, dtype: str, size: Any) -> Any:
    """What a word adds to a magnitude, in units of its last digit: a number in [0, 1)."""
    if dtype == "bfloat16":
        return (bits >> np.uint32(16)) * 2.0**-16
    fine = (bits >> np.uint32(12)) * 2.0**-20
    return np.where(size < 2.0**-14, fine, (bits >> np.uint32(19)) * 2.0**-13)


def unit(size: Any, dtype: str) -> Any:
    """The distance of neighbours in the 16-bit type at that magnitude."""
    exponent = np.frexp(np.where(np.isfinite(size), size, 1.0))[1] - 1
    return np.exp2(np.maximum(exponent, SMALLEST_EXPONENT[dtype]) - DIGITS[dtype])


def rounded(v: Any, dtype: str, bits: Any) -> Any:
    """float32 v, up in magnitude where its fraction and that of the bits make one unit."""
    wide = np.asarray(v, np.float64)
    size = np.abs(wide)
    grid = unit(size, dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.floor(size / grid + fraction(bits, dtype, size)) * grid
        return np.copysign(whole, wide).astype(
            ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16
        )


def rounded_moment(v: Any, bits: Any, slot: int) -> Any:
    """A moment in bfloat16 by its half of the word: the first one's is the lower."""
    return rounded(v, "bfloat16", bits << np.uint32(16 - 16 * slot))
