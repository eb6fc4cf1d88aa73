"""The oracle itself: closed forms against brute force, so that no error hides another."""

from __future__ import annotations

import numpy as np
import pytest
import reference as ref
import reference_groups as groups
from reference_rules import RULES, init, step

CASES = [(name, p) for name, entry in ref.PENALTIES.items() for p in entry.settings]
POINTS = np.random.default_rng(5).normal(0, 1.7, 14)


def brute_force_prox(name: str, p: ref.Settings, z: float, s: float, points: int = 4001) -> float:
    """Minimise the objective on a grid that is refined around its best point, 0 and z included."""
    reach = 1 + abs(z) + max(abs(v) for v in p.values())
    low, high, best = -reach, reach, 0.0
    for _ in range(12):
        grid = np.concatenate([np.linspace(low, high, points), [0.0, z, best], list(p.values())])
        best = float(grid[np.argmin(ref.objective(name, p, grid, z, s))])
        width = (high - low) * 8 / points
        low, high = best - width, best + width
    return best


@pytest.mark.parametrize(("name", "p"), CASES)
@pytest.mark.parametrize("s", [0.13, 0.9, 4.7])
def test_closed_form_attains_the_brute_force_minimum(name, p, s):
    for z in POINTS:
        ours, found = ref.prox(name, p, z, s), brute_force_prox(name, p, float(z), s)
        best = ref.objective(name, p, found, z, s)
        assert ref.objective(name, p, ours, z, s) <= best + 1e-13 * (1 + best)
        assert abs(ours - found) < 2e-6


@pytest.mark.parametrize(("name", "p"), CASES)
def test_extreme_weights(name, p):
    z = np.array([-2.3, 0.0, 0.61, np.nan])
    np.testing.assert_array_equal(ref.prox(name, p, z, 0.7, 0.0), z)
    np.testing.assert_array_equal(ref.prox(name, p, z, 0.7, np.inf), [0, 0, 0, np.nan])


def test_group_oracle_has_the_known_closed_form_for_the_norm():
    z, s, lam = np.array([1.3, -0.7, 2.1]), 0.37, 1.9
    scale = 1 - s * lam / np.linalg.norm(z)
    np.testing.assert_allclose(groups.group_prox(lambda r: lam * r, z, s), z * scale, atol=2e-7)


def test_group_oracle_is_stationary_in_the_diagonal_metric():
    z, s, lam = np.array([1.3, -0.7, 2.1]), np.array([0.31, 1.7, 0.09]), 0.83
    x = groups.group_prox(lambda r: lam * r, z, s)
    np.testing.assert_allclose((z - x) / s, lam * x / np.linalg.norm(x), atol=2e-6)


@pytest.mark.parametrize("name", ["L1Ball", "Simplex"])
def test_projection_oracle_is_optimal(name):
    """Optimal: the residual is a normal of the set, <z - x, y - x> <= 0 for every feasible y."""
    rng = np.random.default_rng(7)
    z = rng.normal(0, 3, 23)
    x = groups.PROJECTIONS[name](z, 1.7)
    assert np.abs(x).sum() == pytest.approx(1.7)
    vertices = 1.7 * np.eye(23) * (np.ones(23) if name == "Simplex" else np.sign(z - x))
    assert np.max((vertices - x) @ (z - x)) < 1e-12


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_descends_on_a_quadratic(name):
    """A misprinted sign or scale in an oracle would not survive this."""
    p = dict(RULES[name].settings[0])
    p.update({key: 0.0 for key in ("weight_decay",) if key in p})
    x, visited = np.array([1.7, -2.3]), []
    m = init(name, x)
    for t in range(1, 601):
        at = m["y"] if name == "FISTA" else x
        x = step(name, p, x, at * [0.9, 1.4], m, t)
        visited.append(x)
    assert np.max(np.abs(np.mean(visited[300:], axis=0))) < 0.5  # dual averaging is slow
