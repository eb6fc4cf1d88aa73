"""Settings of a text classifier: a frozen dataclass, from which the command line is made."""

from __future__ import annotations

from dataclasses import dataclass

from ..lm.fields import check_fields, setting

FEATURES = ("words", "characters", "both", "bpe")
PENALTIES = ("l1", "elastic-net", "rows")
CRITERIA = ("loss", "accuracy", "f1")
MOST_BITS = 30  # column numbers are 32-bit integers, and "both" needs one bit more


@dataclass(frozen=True)
class TextConfig:
    """Settings of features, penalty and choice of its strength.

    Raises
    ------
    ValueError
        If a value is out of its range or a name is unknown.

    Examples
    --------
    >>> TextConfig(features="words", longest=2).min_df
    2
    >>> TextConfig(features="word")
    Traceback (most recent call last):
    ValueError: unknown features 'word': did you mean 'words'?
    """

    features: str = setting("characters", "what n-grams are made of", known=FEATURES)
    shortest: int = setting(0, "shortest n-gram; 0: 2 characters, 1 word or token")
    longest: int = setting(0, "longest n-gram; 0: 5 characters, 2 words or tokens")
    lowercase: bool = setting(True, "read capital letters as small ones")
    vocabulary: int = setting(4096, "tokens of bpe", least=2)
    hash_bits: int = setting(20, "n-grams are hashed to 2 to this power columns", least=1)
    min_df: int = setting(2, "texts that an n-gram must be in", least=1)
    sublinear: bool = setting(True, "weight 1 + log(count) instead of the count")
    penalty: str = setting("l1", "l1, elastic-net: single weights; rows: n-grams", known=PENALTIES)
    l1_ratio: float = setting(0.9, "elastic-net: l1 / (l1 + l2); the strength is l1")
    class_weight: str = setting("none", "balanced: equal for classes", known=("none", "balanced"))
    lam: float = setting(0.0, "strength of the penalty; 0: chosen on the validation texts")
    strengths: int = setting(60, "strengths to choose from", least=1)
    floor: float = setting(1e-4, "the smallest strength over the one that gives zeros only")
    patience: int = setting(10, "stop after this many strengths without gain; 0: never")
    select: str = setting("loss", "validation score that chooses (f1: macro)", known=CRITERIA)
    one_standard_error: bool = setting(False, "sparsest model within one error of the best")
    validation: float = setting(0.2, "share of each class held out, unless there is a file")
    refit: bool = setting(True, "fit again at the end, with the validation texts")
    tol: float = setting(1e-5, "largest duality gap, relative to the model without features")
    max_time: float = setting(0.0, "most seconds for the strengths; 0: no limit")
    seed: int = setting(0, "seed of the split")

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_shares()
        if self.hash_bits > MOST_BITS:
            raise ValueError(f"hash_bits={self.hash_bits} is above {MOST_BITS}")
        if self.shortest and self.longest and self.shortest > self.longest:
            raise ValueError(f"shortest={self.shortest} is above longest={self.longest}")
        if self.features == "both" and (self.shortest or self.longest):
            raise ValueError(
                "features='both' has n-gram lengths of its own: 1-2 words, 2-5 letters"
            )
        if self.one_standard_error and self.select == "f1":
            raise ValueError("select='f1' has no standard error; choose by loss or accuracy")

    def _check_shares(self) -> None:
        for name in ("validation", "floor"):
            value = getattr(self, name)
            if value >= 1:
                raise ValueError(f"{name}={value} is not below 1")
        if not 0 < self.l1_ratio <= 1:
            raise ValueError(f"l1_ratio={self.l1_ratio} is not above 0 and at most 1")
        for name in ("tol", "floor"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name}=0.0 is not positive")
