"""Compare `proxstep.solve` with scikit-learn, celer, skglm, liblinear and adelie.

    python bench/solvers                        all cases with one thread and two: an hour or two
    python bench/solvers --only lasso           cases whose name begins so; other figures stay
    python bench/solvers --missing              go on with a run that was stopped
    python bench/solvers --quick --json FILE    tiny cases, a few minutes; not for quoting

Every solver on every case runs in a process of its own, from rough settings to fine ones, until it
is within 1e-6 of the best objective known, relative to it. Figures go to bench/results/solvers.json
and .md, where those of cases that were not measured stay. Solvers that are not installed (group
`solvers-bench` of pyproject.toml) and cases whose data are not here are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from importlib import metadata

from machine import facts

from . import peers, runner
from .accuracy import Line
from .cases import Case, plan
from .options import chosen, limits, parse
from .peer import Peer
from .references import FILE, References, candidates
from .results import Record, record
from .tables import line_of, markdown
from .worker import Order

PACKAGES = ("scikit-learn", "scipy", "celer", "skglm", "numba", "liblinear-official", "adelie")


def main(arguments: list[str]) -> None:
    options = parse(arguments, (__doc__ or "").splitlines()[0])
    known, records = References(None if options.quick else FILE), load(options)
    for case in chosen(options):
        if not known.is_settled(case) and (options.references or known.get(case) is None):
            refer(case, known, options)
        for peer, threads in [] if options.references else turns(case, records, options):
            found = measure(case, peer, threads, known, options)
            records = [r for r in records if key(r) != key(found)] + [found]
            print(line_of(found), flush=True)
            write(records, known, options)


def refer(case: Case, known: References, options: argparse.Namespace) -> None:
    """Ask one solver after the other, until the gap says that nobody can do better."""
    for peer in candidates(case):
        if not known.is_settled(case) and is_wanted(peer, options):
            lines = ask(case, peer, max(options.threads), options)
            known.keep(case, peer.name, lines)
            print(f"{case.name}: {peer.name} gives {reference_text(lines)}", flush=True)


def reference_text(lines: list[Line]) -> str:
    gaps = [line["gap"] for line in lines if "gap" in line]
    reasons = [line[key] for line in lines for key in ("absent", "error") if key in line]
    return f"a gap of {min(gaps):.1e}" if gaps else ": ".join(["no reference", *reasons])


def turns(
    case: Case, records: list[Record], options: argparse.Namespace
) -> Iterable[tuple[Peer, int]]:
    done = {key(found) for found in records} if options.missing else set()
    for peer in peers.that_solve(case.form):
        for threads in counts(peer, options):
            if is_wanted(peer, options) and (case.name, peer.name, threads) not in done:
                yield peer, threads


def counts(peer: Peer, options: argparse.Namespace) -> list[int]:
    """Return the thread counts that differ for this solver."""
    if not peers.is_installed(peer):
        return []
    return list(options.threads) if peer.threaded else [min(options.threads)]


def is_wanted(peer: Peer, options: argparse.Namespace) -> bool:
    return not options.solver or peer.name in options.solver


def measure(
    case: Case, peer: Peer, threads: int, known: References, options: argparse.Namespace
) -> Record:
    lines = ask(case, peer, threads, options, known.get(case) or {"objectives": [], "data": 0})
    known.keep(case, peer.name, lines)
    return record(case.name, peer.name, threads, lines)


def ask(
    case: Case, peer: Peer, threads: int, options: argparse.Namespace, entry: Line | None = None
) -> list[Line]:
    """Run a worker; without an entry, for a reference."""
    best, data = (entry["objectives"], entry["data"]) if entry else (None, None)
    out, own = runner.scratch_file(), (case.name, peer.name, peer.module, threads, options.quick)
    try:
        return runner.run(Order(*own, str(out), limits(options), best, data))
    finally:
        out.unlink()


def load(options: argparse.Namespace) -> list[Record]:
    if options.json and options.json.exists():
        return list(json.loads(options.json.read_text(encoding="utf-8"))["records"])
    return []


def write(records: list[Record], known: References, options: argparse.Namespace) -> None:
    order = {case.name: k for k, case in enumerate(plan(options.quick))}
    records.sort(key=lambda found: (order.get(found["case"], -1), found["threads"]))
    report = {"facts": own_facts(), "references": known.entries, "records": records}
    texts = {options.json: json.dumps(report, indent=1) + "\n"}
    texts[options.markdown] = markdown(report, plan(options.quick))
    for path, text in texts.items():
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def own_facts() -> Record:
    found = facts()
    found["versions"] |= {name: version(name) for name in PACKAGES}
    return found


def version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def key(found: Record) -> tuple[str, str, int]:
    return found["case"], found["solver"], found["threads"]
