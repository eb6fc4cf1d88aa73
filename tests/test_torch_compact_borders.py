"""compact at its border: what it refuses, what it leaves as it was, and that it prints nothing."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402
from torch.nn.utils import prune  # noqa: E402


def mlp(dtype: Any = torch.float64) -> Any:
    layers = (nn.Linear(4, 6, dtype=dtype), nn.Identity(), nn.Linear(6, 3, dtype=dtype))
    model = nn.Sequential(*layers)
    models.kill_rows(model[0], [1, 3])
    return model


@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_a_tolerance_out_of_range_is_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match=f"tolerance is {tolerance}"):
        pt.compact(mlp(), torch.ones(1, 4), tolerance=tolerance)


@pytest.mark.parametrize("layer", [nn.LazyLinear(6), nn.Linear(4, 6, device="meta")])
def test_parameters_without_elements_are_refused_by_name(layer: Any) -> None:
    model = nn.Sequential(layer, nn.Linear(6, 3))
    with pytest.raises(ValueError, match=r"0\.weight has no elements yet"):
        pt.compact(model, torch.ones(1, 4))


def test_complex_numbers_stay() -> None:
    model = mlp(torch.complex128)
    x = torch.randn(2, 4, dtype=torch.complex128)
    smaller, summary = pt.compact(model, x)
    torch.testing.assert_close(smaller(x), model(x))
    assert not summary.changes
    assert {s.reason for s in summary.stays} == {"its numbers are complex"}


def test_imaginary_parts_are_compared() -> None:
    class Width(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = mlp()

        def forward(self, x: Any) -> Any:
            return torch.complex(x[:, :3], self.layers(x) * self.layers[0].out_features)

    with pytest.raises(pt.CompactionError, match="output 0 of the smaller model differs"):
        pt.compact(Width(), torch.ones(1, 4, dtype=torch.float64))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_parts_stay_and_what_feeds_them() -> None:
    script = torch.jit.script(nn.Linear(6, 3).double())
    model = nn.Sequential(mlp()[0], nn.Linear(6, 6).double(), script)
    x = torch.randn(2, 4, dtype=torch.float64)
    smaller, summary = pt.compact(model, x)
    torch.testing.assert_close(smaller(x), model(x))
    assert [(c.name, c.what, c.after) for c in summary.changes] == [
        ("0", "outputs", 4),
        ("1", "inputs", 4),
    ]


class Counting(nn.Module):
    """Its outputs depend on how often it was called, and on what it was given before."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", torch.zeros(3))
        self.count, self.seen = 0, None

    def forward(self, x: Any) -> Any:
        y = self.layers(x) * (1 + self.calls) + self.last * torch.tensor(1.0)
        y = y + self.count if self.seen is None else -y
        self.calls += 1
        self.last = y.mean(0)
        self.count += 1
        self.seen = y
        return y


def test_what_runs_leave_in_buffers_and_attributes_is_undone() -> None:
    model = Counting().double()
    smaller, summary = pt.compact(model, torch.randn(2, 4, dtype=torch.float64))
    assert summary.changes
    assert vars(smaller).keys() == vars(model).keys()
    assert (smaller.count, smaller.seen) == (0, None)
    assert {n: b.tolist() for n, b in smaller.named_buffers()} == {
        n: b.tolist() for n, b in model.named_buffers()
    }


class Looked(nn.Module):
    """Keeps what a neuron was, for whoever looks at it, and has a mask on its last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.seen = mlp(), None
        mask = torch.ones_like(self.layers[2].weight)
        mask[0, ::3] = 0.0
        prune.custom_from_mask(self.layers[2], "weight", mask)

    def forward(self, x: Any) -> Any:
        self.seen = self.layers[0](x)
        return self.layers[2](self.seen)


def test_attributes_with_a_history_of_gradients_are_copied() -> None:
    model, x = Looked(), torch.randn(2, 4, dtype=torch.float64)
    want, seen = model(x), model.seen
    smaller, summary = pt.compact(model, x)
    assert model.seen is seen
    assert torch.equal(smaller.seen, seen)
    assert [s.reason for s in summary.stays] == ["they enter Linear layers.2"]
    torch.testing.assert_close(smaller(x), want)


class Logging(nn.Module):
    """Keeps activations in a list and in a mapping."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.log, self.cache = mlp(), [], {}

    def forward(self, x: Any) -> Any:
        y = self.layers(x)
        self.log.append(y)
        self.cache["last"] = y
        return y


@pytest.mark.parametrize("runs", [0, 1])
def test_what_runs_leave_in_lists_and_mappings_is_undone(runs: int) -> None:
    model, x = Logging(), torch.randn(2, 4, dtype=torch.float64)
    for _ in range(runs):
        model(x)
    smaller, summary = pt.compact(model, x)
    assert summary.changes
    for seen in (model, smaller):
        assert (len(seen.log), len(seen.cache)) == (runs, runs)
    torch.testing.assert_close(smaller(x), model(x))


class Recurrent(nn.Module):
    """To symbols the result of `nn.GRU` is no tuple, so that their shapes cannot be found."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.gru = mlp(), nn.GRU(3, 2, batch_first=True).double()

    def forward(self, x: Any) -> Any:
        y = self.gru(self.layers(x))
        return y[0] if isinstance(y, tuple) else y + 1


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    _, summary = pt.compact(Recurrent(), torch.randn(2, 5, 4, dtype=torch.float64))
    assert summary.changes
    assert capfd.readouterr() == ("", "")
