"""The study of sparse training on digits as a Markdown table and a plot."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from digits_methods import DENSE, METHODS

TITLES = {"mlp": "MLP 64-256-128-10", "cnn": "small CNN"}
COLOURS = {"l1": "C0", "mcp": "C1", "topk": "C2", "gradual": "C3", "one-shot": "C5"}
Report = dict[str, Any]


def percent(runs: list[Report], name: str = "test") -> tuple[float, float]:
    """Mean and standard deviation over the seeds, in percent."""
    values = [100 * run[name] for run in runs]
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def cell_of(report: Report, model: str, method: str, zeros: float) -> Report:
    key = model, method, zeros
    return next(c for c in report["chosen"] if (c["model"], c["method"], c["zeros"]) == key)


def entry(cell: Report) -> str:
    mark = "" if cell["reached"] else " (*)"
    return "{:.1f} ± {:.1f}".format(*percent(cell["runs"])) + mark


def table(report: Report) -> str:
    parts = [line for model in report["protocol"]["models"] for line in model_table(report, model)]
    return "\n".join([*parts, *row_table(report["rows"])]) + "\n"


def model_table(report: Report, model: str) -> Iterator[str]:
    targets = report["protocol"]["targets"]
    dense = entry(cell_of(report, model, "dense", 0.0))
    yield f"**{TITLES[model]}**, {DENSE.label}: {dense} % right\n"
    yield "| method | " + " | ".join(f"{100 * zeros:.0f} % zeros" for zeros in targets) + " |"
    yield "|---" * (len(targets) + 1) + "|"
    for name, method in METHODS.items():
        entries = [entry(cell_of(report, model, name, zeros)) for zeros in targets]
        yield f"| {method.label} | " + " | ".join(entries) + " |"
    yield ""


def row_table(rows: Report) -> Iterator[str]:
    kinds = {
        "dense": "dense", "chosen": "row groups, compacted",
        "from_scratch": "dense, of the compacted sizes",
    }  # fmt: skip
    yield "| MLP | test accuracy, % | parameters | hidden neurons |"
    yield "|---|---|---|---|"
    for kind, label in kinds.items():
        runs = rows[kind]["runs"]
        layers = zip(*(run["hidden"] for run in runs), strict=True)
        hidden = [str(round(statistics.mean(layer))) for layer in layers]
        size = statistics.mean(run["parameters"] for run in runs)
        accuracy = "{:.1f} ± {:.1f}".format(*percent(runs))
        yield f"| {label} | {accuracy} | {size:,.0f} | {' + '.join(hidden)} |"
    yield "\n| batch | as trained, µs | compacted, µs | ratio |\n|---|---|---|---|"
    for found in rows["times"]:
        before, after = found["as_trained"], found["compacted"]
        yield f"| {found['batch']} | {before:.0f} | {after:.0f} | {before / after:.1f} |"


def draw(report: Report, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    models = report["protocol"]["models"]
    figure, axes = plt.subplots(
        1, len(models), figsize=(2 + 5.2 * len(models), 5), squeeze=False, layout="constrained"
    )
    for axis, model in zip(axes[0], models, strict=True):
        draw_model(axis, report, model)
    axes[0][0].set_ylabel("test accuracy, %: mean ± standard deviation")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_model(axis: Any, report: Report, model: str) -> None:
    targets = report["protocol"]["targets"]
    middle, spread = percent(cell_of(report, model, "dense", 0.0)["runs"])
    axis.axhspan(middle - spread, middle + spread, color="0.9")
    axis.axhline(middle, color="0.4", linewidth=1, label="dense")
    for k, (name, method) in enumerate(METHODS.items()):
        found = [percent(cell_of(report, model, name, zeros)["runs"]) for zeros in targets]
        places = [place + 0.08 * (k - (len(METHODS) - 1) / 2) for place in range(len(targets))]
        dashed = "--" if name.endswith("euclidean") else "-"
        family = name.removesuffix("-diagonal").removesuffix("-euclidean")
        axis.errorbar(
            *(places, *zip(*found, strict=True)), color=COLOURS[family], linestyle=dashed,
            label=method.label, capsize=2, marker="o", markersize=4, linewidth=1.2,
        )  # fmt: skip
    axis.set_xticks(range(len(targets)), [f"{100 * zeros:.0f} %" for zeros in targets])
    axis.set(title=TITLES[model], xlabel="zeros in the weights")
    axis.grid(axis="y", alpha=0.3)
