"""A few short runs of the study on digits, through the files that it writes."""

from __future__ import annotations

import json
import math

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from digits_methods import METHODS
from digits_search import search, tolerance
from digits_study import main


@pytest.mark.torch
def test_quick_study_fills_every_cell_of_its_table(tmp_path):
    plot = tmp_path / "plot.png"
    main(["--quick", "--workers", "1", "--out", str(tmp_path), "--plot", str(plot)])
    report = json.loads((tmp_path / "digits.json").read_text())
    assert [cell["method"] for cell in report["chosen"]] == ["dense", *METHODS]
    for cell in report["chosen"]:
        assert cell["reached"]
        assert all(abs(run["zeros"] - cell["zeros"]) <= tolerance(0.8) for run in cell["runs"])
    text = (tmp_path / "digits.md").read_text()
    assert all(f"| {method.label} | " in text for method in METHODS.values())
    assert plot.stat().st_size > 1000


@pytest.mark.parametrize("target", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("begin", [1e-5, 0.3, 50.0])
def test_search_reaches_the_share_on_a_curve_of_another_slope(target, begin):
    def curve(lam):
        return lam**0.7 / (0.02 + lam**0.7)

    lam, reached = search(curve, lambda share: share, target, begin)
    assert curve(lam) == reached
    assert math.isclose(reached, target, abs_tol=tolerance(target))
