"""What a run on a GPU leaves behind when something in it fails, tried without one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cupy_peers
import gpu_needs
import numpy as np
import pytest
import workload
from packaging.requirements import Requirement

pytest.importorskip("torch")
import gpu_fits
import gpu_report
import proxstep as ps

SCRIPT = Path(__file__).with_name("gpu.sh")


def test_a_case_that_fails_loses_no_other(monkeypatch, tmp_path):
    def fails():
        raise RuntimeError("out of memory")

    plan = gpu_report.plan
    monkeypatch.setattr(gpu_report, "plan", lambda *how: [*plan(*how)[:1], fails, *plan(*how)[-1:]])
    monkeypatch.setattr(gpu_report, "QUICK", gpu_report.Pace(1, 1, 0.0, 1e-4))
    with pytest.raises(SystemExit, match="1 of 3 cases failed"):
        gpu_report.main(["--device", "cpu", "--quick", "--json", str(tmp_path / "found.json")])
    assert len(json.loads((tmp_path / "found.json").read_text())["records"]) == 2


def test_fits_are_kept_one_by_one_and_those_that_do_not_converge_say_so(monkeypatch, tmp_path):
    path, solve, kept = tmp_path / "found.json", ps.solve, []

    def slow(problem, penalty, tol):
        kept.append(len(json.loads(path.read_text())["fits"]) if path.exists() else 0)
        return solve(problem, penalty, tol, **({"max_iter": 1} if len(kept) == 4 else {}))

    monkeypatch.setattr(ps, "solve", slow)
    arguments = ["--device", "cpu", "--quick", "--fits", "1", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["gpu_fits.py", *arguments])
    with (
        pytest.warns(ps.ConvergenceWarning),
        pytest.raises(SystemExit, match="did not converge"),
    ):
        gpu_fits.main()
    assert kept == [0, 0, 1, 1]
    fits = json.loads(path.read_text())["fits"]
    assert [fit["converged"] for fit in fits] == [True, False]
    assert "not converged" in gpu_fits.line(fits[1])


def test_what_is_missing_is_named():
    asked = map(Requirement, ["pytest>=8.4", "pytest<1", "no-such-package>=3"])
    found = list(gpu_needs.missing(asked))
    assert len(found) == 2
    assert found[0].startswith("pytest<1 is needed, ")
    assert found[1] == "no-such-package>=3 is needed and not installed"
    needed = {str(r) for r in gpu_needs.wanted(gpu_needs.PROJECT.read_text())}
    assert {"pybind11<4,>=3.1", "scikit-build-core<2,>=1.1", "pytest<10,>=8.4"} <= needed


def test_cupys_formula_makes_the_same_step(monkeypatch):
    """Its C++ is Python as well, but for the types and the names of functions."""
    start = [workload.normal(50, seed=k) for k in range(3)]
    x, g, m, v = (*start, start[2] ** 2)
    of_math = {"sqrtf": np.sqrt, "fminf": np.minimum, "fmaxf": np.maximum}
    formula = cupy_peers.FORMULA.replace(";", "").replace("float ", "")

    def kernel(g, *numbers_and_arrays):
        numbers = dict(zip(cupy_peers.NUMBERS, numbers_and_arrays[:-3], strict=True))
        found = dict(zip("xmv", numbers_and_arrays[-3:], strict=True))
        names = {"g": g, **numbers, **found, **of_math}
        exec(formula, names)
        for name, array in found.items():
            array[...] = names[name]

    monkeypatch.setattr(cupy_peers, "kernel", lambda: kernel)
    theirs = cupy_peers.OneKernel(x.copy(), g, m.copy(), v.copy())
    state = ps.State(0, {"exp_avg": m, "exp_avg_sq": v})
    for _ in range(2):
        theirs()
        ps.step(x, g, workload.ADAMW, workload.PENALTY, state)
    np.testing.assert_allclose(theirs.x, x, 1e-5, 1e-6)


@pytest.fixture
def checkout(tmp_path):
    """The script alone, in a folder where all is installed and every Python command sleeps."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "build/gpu/proxstep").mkdir(parents=True)
    (tmp_path / "bench/gpu.sh").write_text(SCRIPT.read_text())
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\necho "$@"\ncase $* in *every_kernel*) sleep 30;; *report*) exit 3;; esac\n'
    )
    python.chmod(0o755)
    return tmp_path


def run_script(folder, **environment):
    return subprocess.run(
        ["bash", "bench/gpu.sh", "out"], cwd=folder, text=True, capture_output=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(folder / "python"), **environment},
    )  # fmt: skip


def test_parts_that_fail_or_take_too_long_stop_no_other_and_are_named(checkout):
    done = run_script(checkout, PARTS="benchmarks fits kernels tests", LIMIT="15")
    assert done.returncode == 1
    assert "benchmarks: FAILED with 3" in done.stdout
    assert "fits: passed" in done.stdout
    assert "kernels: STOPPED after" in done.stdout
    assert "tests: no time left" in done.stdout
    assert "failed: benchmarks kernels tests" in done.stdout
    assert (checkout / "out/logs.tar.gz").stat().st_size
    assert (checkout / "out/summary.txt").read_text().splitlines()[-1].startswith("failed:")
    assert len(list((checkout / "out").iterdir())) <= 8


def test_a_part_alone(checkout):
    done = run_script(checkout, PARTS="fits")
    assert done.returncode == 0
    assert "fits: passed" in done.stdout
    assert "facts" not in done.stdout
