"""proxstep classify beside scikit-learn: the same texts, whole processes, both on their own choice.

    python bench/classify.py SMS_SPAM.tsv [--seeds 1 2 3] [--slow] [--json FILE [--append]]

The file has a header and the columns Label and SMS (the UCI SMS Spam Collection). A fifth of each
class is the test set, another one for each seed. Every contestant gets the training file, chooses
its own strength and classifies the test file; the time is that of the process, imports included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import proxstep as ps
import sklearn
from classify_peer import PEERS
from machine import facts

OURS = {
    "proxstep, words 1-2": ["--features", "words"],
    "proxstep, characters 2-5 (the default)": [],
    "proxstep, both": ["--features", "both"],
    "proxstep, characters, one standard error": ["--one-standard-error"],
}
COMMAND = "import sys; from proxstep.cli import main; sys.exit(main(sys.argv[1:]))"
PEER = str(Path(__file__).with_name("classify_peer.py"))


def split(file: Path, folder: Path, seed: int) -> tuple[str, str]:
    """Write the training and the test file; a fifth of each class is tested."""
    head, *rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
    labels = np.array([row.partition("\t")[0] for row in rows])
    draws, tested = np.random.default_rng(seed), np.zeros(labels.size, bool)
    for name in np.unique(labels):
        chosen = draws.permutation(np.flatnonzero(labels == name))
        tested[chosen[: chosen.size // 5]] = True
    paths = []
    for name, part in (("train.tsv", ~tested), ("test.tsv", tested)):
        chosen_rows = [row for row, inside in zip(rows, part, strict=True) if inside]
        (folder / name).write_text("".join([head, *chosen_rows]), encoding="utf-8")
        paths.append(str(folder / name))
    return paths[0], paths[1]


def timed(command: list[str]) -> tuple[str, float]:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return done.stdout, time.perf_counter() - began


def run_ours(options: list[str], train: str, test: str, folder: Path) -> dict[str, float]:
    arguments = ["classify", train, "--text-column", "SMS", "--label-column", "Label"]
    arguments += ["--test-file", test, "--out", str(folder / "run"), "--overwrite", *options]
    _, seconds = timed(["-c", COMMAND, *arguments])
    report = json.loads((folder / "run" / "report.json").read_text(encoding="utf-8"))
    spam = next(item for item in report["test"]["classes"] if item["label"] == "spam")
    return {
        "accuracy": report["test"]["accuracy"],
        "f1": spam["f1"],
        "loss": report["test"]["loss"],
        "nonzeros": report["nonzeros"],
        "features": report["features"],
        "gap": report["certificate"]["relative"],
        "fit_seconds": sum(report["seconds"].values()),
        "seconds": seconds,
    }


def run_peer(name: str, train: str, test: str) -> dict[str, float]:
    said, seconds = timed([PEER, name, train, test])
    return {**json.loads(said), "seconds": seconds}


def measure(file: Path, seed: int, slow: bool) -> dict[str, dict[str, float]]:
    """All contestants on one split; the slow ones only if wanted."""
    peers = [name for name in PEERS if slow or "saga" not in name]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train, test = split(file, folder, seed)
        rows = {name: run_ours(options, train, test, folder) for name, options in OURS.items()}
        return rows | {name: run_peer(name, train, test) for name in peers}


def summarize(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """Mean and spread over the splits; of times the minimum as well."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: _over([run[name] for run in runs if name in run]) for name in names}


def _over(rows: list[dict[str, float]]) -> dict[str, Any]:
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return {
        key: {"mean": float(np.mean(values)), "min": min(values), "max": max(values)}
        for key, values in columns.items()
    } | {"splits": len(rows)}


def earlier(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """The runs of a report, by seed."""
    return json.loads(path.read_text())["runs"] if path.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--slow", action="store_true", help="with saga, which takes a minute")
    parser.add_argument("--append", action="store_true", help="keep the other seeds of --json")
    options = parser.parse_args()
    measured = earlier(options.json) if options.append else {}
    measured |= {str(seed): measure(options.file, seed, options.slow) for seed in options.seeds}
    runs = list(measured.values())
    rows = summarize(runs)
    print(f"{'':42} accuracy  F1 spam    loss  nonzeros  whole process [s]")
    for name, row in rows.items():
        means = {key: row[key]["mean"] for key in row if key != "splits"}
        print(
            f"{name:42} {means['accuracy']:8.4f} {means['f1']:8.4f} {means['loss']:7.4f} "
            f"{means['nonzeros']:9.0f}  {row['seconds']['min']:.2f} (min of {row['splits']})"
        )
    if options.json:
        about = {**facts(), "threads": ps.get_num_threads(), "sklearn": sklearn.__version__}
        report = {"about": about, "rows": rows, "runs": measured}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
