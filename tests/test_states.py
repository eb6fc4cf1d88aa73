"""States and lists of gradients that do not fit: refused before anything changes."""

from __future__ import annotations

import numpy as np
import proxstep as ps
from cases import assert_same_bits, normal
from refusals import PENALTY, RULE, fresh, refused


def test_states_must_fit():
    x, g, state = fresh()
    adam = ps.AdamW(0.11)
    with refused(ValueError, "state", "AdamW", keep=[x]):
        ps.step(x, g, adam, None, None)
    with refused((ValueError, KeyError), "sum", keep=[x]):
        ps.step(x, g, ps.RDA(0.1), None, state)
    with refused((ValueError, TypeError), "dtype", keep=[x]):
        ps.step(x, g, adam, None, adam.init(x.astype(np.float32)))
    with refused(ValueError, "shape", keep=[x]):
        ps.step(x, g, adam, None, adam.init(np.ones(5)))
    assert state.step == 0


def test_a_saved_state_of_another_model_is_refused():
    x, y = [normal(5, seed=13)], [normal(6, seed=14)]
    one, two = ps.Optimizer(x, ps.AdamW(0.1)), ps.Optimizer(y, ps.AdamW(0.1))
    two.step([np.ones(6)])
    with refused(ValueError, r"\(6,\)", r"\(5,\)"):
        one.load_state_dict(two.state_dict())
    with refused((ValueError, KeyError)):
        ps.Optimizer(y, ps.RDA(0.1)).load_state_dict(two.state_dict())
    assert one.steps == 0
    assert_same_bits(x[0], normal(5, seed=13))


def test_optimizer_checks_everything_before_it_changes_anything():
    """The last of three gradients is wrong: the first two arrays must not have moved."""
    params = [normal(5, seed=7), normal((2, 3), seed=8), normal(4, seed=9)]
    opt = ps.Optimizer(params, RULE, PENALTY)
    good = [np.ones(5), np.ones((2, 3)), np.ones(4)]
    with refused(ValueError, "3", "2", keep=params):
        opt.step(good[:2])
    for bad, error in (
        (np.ones(3), ValueError),
        (np.ones(4, np.float32), TypeError),
        ([1.0] * 4, TypeError),
        (params[2], ValueError),
        (params[0][:4], ValueError),
    ):
        with refused(error, keep=[*params, *good]):
            opt.step([*good[:2], bad])
    assert opt.steps == 0
    with refused(ValueError, "overlap"):
        whole = normal(10, seed=10)
        ps.Optimizer([whole[:6], whole[4:]], RULE, PENALTY).step([np.ones(6), np.ones(6)])
