"""Time softmax regression with an L1 penalty on a GPU, to a certified relative gap of 1e-4.

    python bench/gpu_fits.py                       for 24 GB of device memory or more
    python bench/gpu_fits.py --json FILE --markdown FILE
    python bench/gpu_fits.py --device cpu --quick  tries the report where there is no GPU

X is made where it is used, in float32, from a fixed seed: normal features, of which a hundred
decide the classes; the largest takes 3 GB, and making it and its products as much again some times.
A fit begins with a new problem, so that nothing is known but X and y. Files are written after every
size and penalty.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import proxstep as ps
import torch
from machine import device_facts, facts

TOLERANCE = 1e-4
PLANTED = 100
PARTS = (0.1, 0.01)  # of lambda_max
SIZES = ((60_000, 784, 10), (1_000_000, 768, 100))
QUICK = ((600, 40, 3),)
HEAD = (
    "| n x p x classes | λ / λmax | first fit, s | fits, s: median (minimum) | gap | iterations "
    "| nonzeros | memory, GB |\n|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True)
class Data:
    """Features and labels on one device."""

    X: torch.Tensor
    y: torch.Tensor
    classes: int

    def problem(self) -> ps.Softmax:
        return ps.Softmax(self.X, self.y, classes=self.classes)


def made(n: int, p: int, classes: int, device: str) -> Data:
    """Labels follow a softmax model of the first features."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=device, generator=generator)

    X, weights = normal(n, p), normal(min(PLANTED, p // 5), classes)
    margins = X[:, : len(weights)] @ weights
    waits = torch.empty_like(margins).exponential_(generator=generator)
    return Data(X, (0.5 * margins - waits.log()).argmax(1), classes)


def timed(data: Data, part: float, fits: int) -> dict[str, Any]:
    """Fit again and again; the first fit may compile and is told apart."""
    penalty = ps.L1(part * data.problem().lambda_max(ps.L1(1.0)))
    seconds = []
    for _ in range(1 + fits):
        began = time.perf_counter()
        result = ps.solve(data.problem(), penalty, TOLERANCE)
        seconds.append(time.perf_counter() - began)  # the certificate was read: nothing is pending
    return {
        "n": len(data.X), "p": data.X.shape[1], "classes": data.classes, "part": part,
        "first_s": seconds[0], "median_s": statistics.median(seconds[1:]),
        "min_s": min(seconds[1:]), "gap": result.gap, "objective": result.objective,
        "iterations": result.n_iter, "solver": result.solver,
        "nonzeros": int(torch.count_nonzero(result.x)), "converged": result.converged,
        "memory_gb": torch.cuda.max_memory_allocated() / 1e9 if data.X.is_cuda else None,
    }  # fmt: skip


def line(fit: dict[str, Any]) -> str:
    gap = f"{fit['gap']:.1e}" + ("" if fit["converged"] else ", not converged")
    memory = "" if fit["memory_gb"] is None else f"{fit['memory_gb']:.1f}"
    return (
        f"| {fit['n']:,} x {fit['p']} x {fit['classes']} | {fit['part']:g} | {fit['first_s']:.3g} "
        f"| {fit['median_s']:.3g} ({fit['min_s']:.3g}) | {gap} | {fit['iterations']} "
        f"| {fit['nonzeros']:,} | {memory} |\n"
    )


def markdown(about: dict[str, Any], fits: list[dict[str, Any]]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"Softmax regression with an L1 penalty to a certified gap of {TOLERANCE:g} of the null "
        f"model's loss, float32, X on the device. Memory: the most that torch held until "
        f"then.\n\n{HEAD}{''.join(map(line, fits))}\n"
        f"{about['device']}; {about['cpu']}, {about['cores']} cores; {versions}; {about['date']}\n"
    )


def write(about: dict[str, Any], fits: list[dict[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(json.dumps({"facts": about, "fits": fits}, indent=1))
    if options.markdown:
        options.markdown.write_text(markdown(about, fits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="a small size; not for quoting")
    parser.add_argument("--fits", type=int, default=5, metavar="N", help="fits after the first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table")
    options = parser.parse_args()
    about, found = {**facts(), **device_facts(options.device)}, []
    print(HEAD, end="")
    for size in QUICK if options.quick else SIZES:
        data = made(*size, options.device)
        for part in PARTS:
            found.append(timed(data, part, options.fits))
            print(line(found[-1]), end="", flush=True)
            write(about, found, options)
        del data
    if not all(fit["converged"] for fit in found):
        raise SystemExit("a fit did not converge")


if __name__ == "__main__":
    main()
