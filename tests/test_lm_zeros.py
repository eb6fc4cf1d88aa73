"""zeros.png: the numbers in it are the shares, the shades are the zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_cases import make_model
from proxstep.lm import Parameters
from proxstep.lm.zeros_plot import draw_zeros, shrink

pytest.importorskip("matplotlib")


def drawn(weights: Parameters, path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The figure that was written, kept open."""
    from matplotlib import pyplot

    kept: list[Any] = []
    monkeypatch.setattr(pyplot, "close", kept.append)
    draw_zeros(weights, path, "a title")
    assert path.read_bytes().startswith(b"\x89PNG")
    return kept[0]


@pytest.mark.parametrize("sizes", [{}, {"block_heads": (1, 2), "block_hidden": (3, 7)}])
def test_each_matrix_has_its_number_and_its_pattern(
    sizes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = make_model(tied=False, **sizes)[0].weights
    weights.flat[::3] = 0
    weights["blocks.1.up"][1] = 0
    figure = drawn(weights, tmp_path / "zeros.png", monkeypatch)
    numbers = sorted(text.get_text() for axes in figure.axes for text in axes.texts)
    shares = [100 * (view == 0).mean() for _, view in weights.items() if view.ndim == 2]
    assert numbers == sorted(f"{share:.1f}" for share in shares)
    images = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    zeros = np.asarray(weights["blocks.1.up"]) == 0
    assert any(image.shape == zeros.shape and (image == zeros).all() for image in images)


def test_a_dense_model_has_numbers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = drawn(make_model()[0].weights, tmp_path / "zeros.png", monkeypatch)
    assert len(figure.axes) == 2


@pytest.mark.parametrize("shape", [(5, 9), (64, 64), (130, 64), (1, 200)])
def test_a_pixel_is_the_mean_of_what_is_under_it(shape: tuple[int, int]) -> None:
    zeros = np.random.default_rng(3).random(shape) < 0.3
    small = shrink(zeros, 64)
    assert small.shape == tuple(min(size, 64) for size in shape)
    if shape == (130, 64):
        np.testing.assert_allclose(small[0], zeros[:2].mean(axis=0))
        np.testing.assert_allclose(small[-1], zeros[-3:].mean(axis=0))
    if max(shape) <= 64:
        np.testing.assert_array_equal(small, zeros)
