"""What a run says: lines for the terminal, and report.json with every number."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .. import __version__
from .fitting import Fitted
from .scores import Scores

_KINDS = {
    "words": "word n-grams",
    "characters": "character n-grams",
    "both": "word and character n-grams",
    "bpe": "byte-pair n-grams",
}
_REASONS = {
    "finished": "all strengths were tried",
    "stopped": "the validation texts gained no more",
    "max_time": "time ran out",
}
SHOWN = 10  # n-grams of a class on the terminal
_MOST_CLASSES = 30  # on the terminal


def as_json(fitted: Fitted, test: Scores | None) -> dict[str, Any]:
    """Return everything that was found; fit for JSON."""
    model, point = fitted.model, fitted.point
    return {
        "proxstep": __version__,
        "settings": asdict(model.config),
        "texts": dict(zip(map(str, model.classes), fitted.class_counts, strict=True)),
        "features": int(model.weighting.columns.size),
        "ngrams_used": len(model.ngrams),
        "nonzeros": point.nonzeros,
        "lam": point.lam,
        "certificate": {"kind": point.certificate, "relative": point.gap,
                        "tol": model.config.tol, "reason": point.reason},
        "solver": point.solver,
        "path_ended": fitted.stopped,
        "path": [asdict(look) for look in fitted.looks],
        "chosen": fitted.chosen if fitted.looks else None,
        "validation": asdict(fitted.validation) if fitted.validation else None,
        "test": asdict(test) if test else None,
        "important": model.important(50),
        "seconds": fitted.seconds,
    }  # fmt: skip


def fit_lines(fitted: Fitted) -> list[str]:
    """Return what the fit was made of and what came out."""
    model, point, config = fitted.model, fitted.point, fitted.model.config
    total = sum(fitted.class_counts)
    sign = "<=" if point.reason == "converged" else ">"
    found = [
        f"texts: {total:,} of {model.classes.size} classes",
        f"features: {model.weighting.columns.size:,} {_KINDS[config.features]} in at least "
        f"{config.min_df} texts, {fitted.seconds['counting']:.1f} s",
    ]
    if fitted.looks:
        ended = _REASONS[fitted.stopped]
        rule = " within one standard error" if config.one_standard_error else ""
        found.append(
            f"path: {len(fitted.looks)} strengths ({ended}); by validation {config.select}{rule} "
            f"the best is number {fitted.chosen + 1}"
        )
    again = " fitted again on all texts" if fitted.looks and config.refit else ""
    return [
        *found,
        f"model:{again} λ = {point.lam:.3g}, {point.nonzeros:,} weights are not zero, "
        f"of {len(model.ngrams):,} n-grams; {fitted.seconds['fitting']:.1f} s",
        f"certificate: {point.certificate} {point.gap:.1e} of the loss without features "
        f"{sign} {config.tol:g}",
    ]


def score_lines(name: str, scores: Scores) -> list[str]:
    """Return the scores over some texts, class by class."""
    head = (
        f"{name}: {scores.texts:,} texts, accuracy {scores.accuracy:.4f}, macro F1 "
        f"{scores.macro_f1:.4f}, micro F1 {scores.micro_f1:.4f}, loss {scores.loss:.4f}"
    )
    shown = scores.classes[:_MOST_CLASSES]
    width = max(5, *(len(item.label) for item in shown))
    rows = [f"  {'class':{width}}  precision  recall      F1   texts"]
    rows += [
        f"  {item.label:{width}}  {item.precision:9.4f}  {item.recall:6.4f}  {item.f1:6.4f}"
        f"  {item.texts:6,}"
        for item in shown
    ]
    rest = len(scores.classes) - len(shown)
    return [head, *rows, *([f"  and {rest} more classes in report.json"] if rest else [])]


def ngram_lines(fitted: Fitted) -> list[str]:
    """Return the most important n-grams of each class."""
    found = list(fitted.model.important(SHOWN).items())[:_MOST_CLASSES]
    width = max(len(label) for label, _ in found)
    lines = ["most important n-grams (largest weights for a class):"]
    for label, ngrams in found:
        lines.append(f"  {label:{width}}  {' | '.join(ngram for ngram, _ in ngrams) or '(none)'}")
    return lines
