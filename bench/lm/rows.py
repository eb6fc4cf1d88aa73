"""What is run: our command, and the same model in PyTorch, each with what it is to reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STEPS = 2000
ADAMW = ["--optimizer", "adamw"]
SPARSE_ADAMW = [*ADAMW, "--lr", 8e-3, "--ramp-begin", 0.1]
MUON = ["--optimizer", "muon"]  # beyond 85 % zeros, where it is not the default
FREE = ["--schedule", "free", "--weight-decay", 0.1]
PRUNED = (0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Row:
    """One line of the report: a command, run once for each seed.

    Attributes
    ----------
    name : str
        What is run.
    program : str
        "proxstep", "torch" (torch_train.py) or "nanogpt" (nanogpt.py).
    options : list of str
        Arguments of ``proxstep train``, or of the script.
    goal : float or None
        Mean validation loss that is aimed at.
    """

    name: str
    program: str
    options: tuple[str, ...]
    goal: float | None = None

    def command(self, python: str, text: Path, out: Path, seed: int) -> list[str]:
        """Return the command of a seed, which writes into the folder `out`."""
        ours = self.program == "proxstep"
        script = "nanogpt.py" if self.program == "nanogpt" else "torch_train.py"
        program = ["-m", "proxstep", "train"] if ours else [str(Path(__file__).with_name(script))]
        return [python, *program, str(text), *self.options, "--seed", str(seed), "--out", str(out)]


def ours(name: str, *options: str | float, goal: float | None = None) -> Row:
    """A run of ``proxstep train`` that looks at the validation split at its end alone."""
    given = [*options, "--eval-every", STEPS, "--save-every", STEPS, "--quiet"]
    return Row(name, "proxstep", tuple(map(str, given)), goal)


def peer(name: str, *options: str | float) -> Row:
    """The same model in PyTorch."""
    return Row(name, "torch", tuple(map(str, options)))


def dense_rows() -> list[Row]:
    return [
        ours("dense, the default rule (Muon)", "--sparsity", 0, goal=1.62),
        ours("dense, AdamW", "--sparsity", 0, *ADAMW, "--warmup", 50, goal=1.765),
        ours("dense, AdamW, schedule free", "--sparsity", 0, *ADAMW, *FREE),
        ours("dense, Lion", "--sparsity", 0, "--optimizer", "lion", "--lr", 1e-3),
        peer("torch, nanoGPT's recipe", "--lr", 1e-3),
        peer("torch, AdamW 6e-3", "--lr", 6e-3),
        peer("torch, schedule-free AdamW 6e-3", "--lr", 6e-3, "--schedule-free"),
        ours(
            "to 1.88: dense, 490 steps", "--sparsity", 0, "--steps", 490, "--warmup", 50, goal=1.88
        ),
    ]


def sparse_rows() -> list[Row]:
    rows = [ours("the default", goal=None)]
    goals = dict(zip(PRUNED, (1.775, 1.8, None), strict=True))
    for share in PRUNED:
        percent = f"{100 * share:g} %"
        rows += [
            ours(f"{percent}, Muon", "--sparsity", share, *(MUON if share > 0.85 else [])),
            ours(f"{percent}, AdamW", "--sparsity", share, *SPARSE_ADAMW, goal=goals[share]),
            ours(
                f"{percent}, AdamW, top-k", "--sparsity", share, *SPARSE_ADAMW, "--penalty", "top-k"
            ),
            peer(f"{percent}, torch, magnitude ramp", "--lr", 6e-3, "--prune", share),
        ]
    for rule, options in (("Muon", []), ("AdamW", ADAMW)):
        goal = 1.8 if rule == "AdamW" else None
        rows.append(ours(f"2:4, {rule}", "--penalty", "nm-2-4", *options, goal=goal))
        rows += [
            ours(f"rows, {100 * share:g} %, {rule}", "--penalty", "group-rows", "--penalize",
                 "hidden", "--sparsity", share, *options)
            for share in (0.3, 0.6)
        ]  # fmt: skip
    rows.append(ours("heads, 50 %, Muon", "--penalty", "group-heads", "--sparsity", 0.5))
    return rows


def large_rows(device: str) -> list[Row]:
    """10.7 million weights, on a GPU: nanoGPT's own recipe, which has dropout, and ours."""
    shape = {"layers": 6, "heads": 6, "channels": 384, "context": 256, "batch": 64}
    given = [text for name, value in shape.items() for text in ("--" + name, value)]
    given += ["--device", device, "--steps", 1500]
    return [
        ours("10.7 M, dense, the default rule (Muon)", "--sparsity", 0, *given, goal=1.47),
        ours("10.7 M, 80 %, Muon", "--sparsity", 0.8, *given),
        Row("10.7 M, torch, nanoGPT's recipe", "nanogpt", ("--device", device)),
    ]


ROWS = [*dense_rows(), *sparse_rows()]
