"""Nothing of the core is without a Python name and an oracle line: what is added is also tested."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import proxstep as ps
import pytest
import reference as ref
import reference_groups as groups
import reference_rules as rules
from cases import assert_same_bits, normal, penalty, rule
from proxstep import _core


def _plain(name: str) -> str:
    """The core says non_negative_l1 where Python says NonNegativeL1."""
    return name.replace("_", "").lower()


@pytest.mark.parametrize("name", sorted(set(_core.penalty_names()) - {"none"}))
def test_every_penalty_has_a_python_name_and_an_oracle_line(name):
    oracle = {_plain(key): key for key in ref.PENALTIES}
    assert _plain(name) in oracle, f"add {name} to reference.PENALTIES"
    assert hasattr(ps, oracle[_plain(name)]), f"add {name} to python/proxstep/penalties"
    assert ref.PENALTIES[oracle[_plain(name)]].settings


@pytest.mark.parametrize("name", sorted(_core.rule_names()))
def test_every_rule_has_a_python_name_and_an_oracle_line(name):
    oracle = {_plain(key): key for key in rules.RULES}
    assert _plain(name) in oracle, f"add {name} to reference_rules.RULES"
    assert hasattr(ps, oracle[_plain(name)]), f"add {name} to rules.py"


def test_no_oracle_line_is_left_without_its_operator():
    assert {_plain(name) for name in ref.PENALTIES} <= {_plain(n) for n in _core.penalty_names()}
    assert all(hasattr(ps, name) for name in [*rules.RULES, *groups.PROJECTIONS])


@pytest.mark.parametrize("name", sorted(ref.PENALTIES))
def test_the_settings_of_the_oracle_are_those_of_the_class(name):
    made = getattr(ps, name)(**ref.PENALTIES[name].settings[0])
    for key, given in ref.PENALTIES[name].settings[0].items():
        assert getattr(made, key) == given


@pytest.mark.parametrize("name", sorted(rules.RULES))
def test_moments_have_the_names_of_the_oracle(name):
    x = np.array([1.3, -0.7])
    state = getattr(ps, name)(**rules.RULES[name].settings[0]).init(x)
    expected = rules.init(name, x)
    assert set(state.moments) == set(expected)
    for key, moment in state.moments.items():
        np.testing.assert_array_equal(moment, expected[key])
        assert not np.shares_memory(moment, x)


@pytest.mark.parametrize("name", sorted(ref.PENALTIES))
def test_a_penalty_is_frozen_and_can_be_sent_to_another_process(name):
    z, h = normal(30), penalty(name, ref.PENALTIES[name].settings[0], np.linspace(0, 2, 30))
    for made in (h, ps.SparseGroup(0.31, 0.7, over=5)):
        assert_same_bits(ps.prox(z, pickle.loads(pickle.dumps(made))), ps.prox(z, made))
    with pytest.raises(dataclasses.FrozenInstanceError):
        h.lam = 3.0


@pytest.mark.parametrize("name", sorted(ref.PENALTIES))
def test_penalties_are_equal_by_value(name):
    settings, w = ref.PENALTIES[name].settings[0], np.linspace(0, 2, 30)
    other = {**settings, next(iter(settings)): 0.123}
    kinds = [penalty(name, settings), penalty(name, settings, w), penalty(name, settings, w + 0.1)]
    kinds += [penalty(name, settings, w[:, None]), penalty(name, other), ps.NM(2, 4), None]
    if name != "Box":
        kinds += [ps.Group(kinds[0], 5), ps.Group(kinds[0], 6), ps.Group(kinds[4], 5)]
        kinds += [ps.Group(kinds[0], 5, group_weights=w[:6])]
    copies = [pickle.loads(pickle.dumps(made)) for made in kinds]
    assert len({*kinds, *copies}) == len(kinds)
    for i, one in enumerate(kinds):
        assert [one == copied for copied in copies] == [i == j for j in range(len(kinds))]


def test_a_number_in_an_array_is_that_number():
    for number in (np.array(0.3), np.float64(0.3)):
        assert len({ps.L1(0.3), ps.L1(number)}) == 1


@pytest.mark.parametrize("made", [ps.SparseGroup(0.31, 0.7, 5, weights=[0.3]), ps.AdamW(0.02)])
def test_settings_are_all_that_a_dataclass_shows(made):
    settings = dataclasses.asdict(made)
    assert "spec" not in settings
    again = type(made)(**settings)
    assert again == made
    assert dataclasses.replace(made) == made


@pytest.mark.parametrize("name", sorted(rules.RULES))
def test_a_rule_is_frozen_and_equals_its_copy(name):
    made = rule(name, rules.RULES[name].settings[0])
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.lr = 3.0
