"""Two processes: replicas stay bit-identical, shards step as the whole does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")
worker = pytest.importorskip("torch_worker")

if not torch.distributed.is_gloo_available():
    pytest.skip("torch was built without gloo", allow_module_level=True)


def run(case: str, folder: Path) -> list[Any]:
    """What the two processes found."""
    script = Path(__file__).with_name("torch_worker.py")
    started = [
        subprocess.Popen(
            [sys.executable, str(script), case, str(rank), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    ended = [process.communicate(timeout=110) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def alone(penalty: Any) -> dict[str, Any]:
    model = cases.digits_mlp()
    optimizer = worker.ProxAdamW(model.parameters(), lr=0.03, penalty=penalty)
    cases.learn(model, optimizer, 6)
    return worker.whole(model)


def test_replicas_stay_bit_identical(tmp_path: Path) -> None:
    one, two = run("data_parallel", tmp_path)
    assert any((one[name] == 0).any() for name in one)
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name])
        assert not torch.equal(tensor, dict(cases.digits_mlp().named_parameters())[name])


@pytest.mark.parametrize("case", ["sharded_elements", "sharded_rows"])
def test_shards_step_as_the_whole_does(tmp_path: Path, case: str) -> None:
    """Under FSDP2; rows lie whole on one process, so their groups are served as well."""
    penalty = worker.SETTINGS["penalty"] if case == "sharded_elements" else worker.ROWS
    found, want = run(case, tmp_path)[0], alone(penalty)
    assert any((tensor == 0).any() for tensor in want.values())
    for name, tensor in want.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6)
        assert torch.equal(found[name] == 0, tensor == 0)


def test_a_gradient_is_brought_to_the_placements_of_its_parameter(tmp_path: Path) -> None:
    """Tensor parallelism leaves a summand of a replicated parameter's gradient on each process."""
    gradient = sum(torch.randn(4, 6, generator=torch.Generator().manual_seed(k)) for k in range(2))
    param = torch.nn.Parameter(torch.ones(4, 6))
    param.grad = gradient
    worker.ProxAdamW([param], **worker.SETTINGS).step()
    for found in run("placements", tmp_path):
        assert len(found) == 12
        for placed, tensor in found.items():
            assert torch.equal(tensor, param), placed


def test_what_is_spread_is_counted_whole(tmp_path: Path) -> None:
    for found in run("reports", tmp_path):
        assert found["alone"] == found["spread"]
        assert found["spread"]["zeros"] > 20


def test_groups_that_cross_shards_are_refused_with_the_reason(tmp_path: Path) -> None:
    for found in run("refused", tmp_path):
        for message in (found["columns"], found["largest"]):
            assert "other processes" in message
            assert "Shard" in message
        assert "placed as (Partial(sum),)" in found["summands"]
        assert "skip_zero_rows" in found["rows"]
        assert "DTensor placed as (Shard(dim=0),)" in found["rows"]


def test_what_one_process_cannot_see_is_refused(tmp_path: Path) -> None:
    for found in run("refused_reading", tmp_path):
        assert len(found["messages"]) == 2
        assert all("'0.weight' is spread" in m and "one process" in m for m in found["messages"])
