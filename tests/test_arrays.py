"""Bad arrays: each gives an error with the values in it, and not a byte is changed."""

from __future__ import annotations

import re

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, RULE_CASES, assert_same_bits, normal, rule
from refusals import PENALTY, RULE, fresh, refused


def refused_step(error, *patterns, x, g, state):
    given = (x, g, *state.moments.values())
    keep = [a for a in given if isinstance(a, np.ndarray) and a.dtype != object]
    with refused(error, *patterns, keep=keep):
        ps.step(x, g, RULE, PENALTY, state)
    assert state.step == 0


NOT_ARRAYS = [[1.0, 2.0], (0.5,), 3.7, None, "x", {0.1, 0.2}, object()]


@pytest.mark.parametrize("thing", NOT_ARRAYS, ids=lambda t: type(t).__name__)
def test_what_is_not_an_array_is_named(thing):
    x, g, state = fresh()
    name = type(thing).__name__
    refused_step(TypeError, "g ", name, x=x, g=thing, state=state)
    refused_step(TypeError, "x ", name, x=thing, g=g, state=state)
    for call in (
        lambda: ps.soft_threshold(thing, 0.3),
        lambda: ps.prox(thing, PENALTY),
        lambda: RULE.init(thing),
        lambda: PENALTY.value(thing),
        lambda: ps.global_norm([thing]),
        lambda: ps.Optimizer([thing], RULE, PENALTY).step([thing]),
    ):
        with refused(TypeError, name):
            call()
    if thing is not None:
        with refused(TypeError, "out", name, keep=[x]):
            ps.soft_threshold(x, 0.3, out=thing)


@pytest.mark.parametrize(
    "dtype", ["int64", "int32", "uint8", "bool", "complex128", "longdouble", "O"]
)
def test_other_dtypes_are_not_converted(dtype):
    x, g, state = fresh()
    with np.errstate(all="ignore"):
        other = np.ones(12, dtype)
    refused_step(TypeError, "g has dtype", x=x, g=other, state=state)
    refused_step(TypeError, "x has dtype", x=other, g=g, state=state)
    with refused(TypeError, "dtype"):
        ps.soft_threshold(other, 0.3)


def test_uint16_needs_a_dtype_argument():
    with refused(TypeError, "uint16", "bfloat16"):
        ps.soft_threshold(np.zeros(4, np.uint16), 0.3)


def test_big_endian_and_unaligned_arrays_are_refused():
    x, g, state = fresh()
    swapped = g.astype(">f8")
    refused_step(TypeError, "g ", "endian", x=x, g=swapped, state=state)
    bytes_ = np.zeros(12 * 8 + 1, np.uint8)
    refused_step(ValueError, "g ", "aligned", x=x, g=bytes_[1:].view("f8"), state=state)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", DTYPES)
def test_gradients_have_the_dtype_of_the_parameters(dtype, other):
    x, _, state = fresh(dtype=dtype)
    g = normal(12, other, seed=2)
    if dtype == other:
        return
    refused_step(TypeError, "g has dtype " + other, dtype, x=x, g=g, state=state)


@pytest.mark.parametrize("shape", [(13,), (11,), (3, 4), (12, 1), (1,), ()])
def test_shapes_must_be_equal(shape):
    x, _, state = fresh()
    text = re.escape(f"g has shape {shape}, x has shape (12,)")
    refused_step(ValueError, text, x=x, g=normal(shape, seed=2), state=state)
    with refused(ValueError, re.escape(str(shape)), "out", keep=[x]):
        ps.prox(x, PENALTY, out=np.zeros(shape))
    with refused(ValueError, re.escape(str((*shape, 1))), "step", keep=[x]):
        ps.prox(x, PENALTY, step=np.full((*shape, 1), 0.3))
    with refused(ValueError, "weights", re.escape(str(shape)), keep=[x]):
        ps.prox(x, ps.L1(0.3, weights=np.full(shape, 0.7)))


def test_layouts_must_be_equal():
    """Same shape, other order: element by element this would be silent garbage."""
    x, g, state = fresh((3, 4))
    refused_step(ValueError, "g ", "strides", x=x, g=np.asfortranarray(g), state=state)
    with refused(ValueError, "out", "strides", keep=[x]):
        ps.prox(x, PENALTY, out=np.zeros((3, 4), order="F"))


@pytest.mark.parametrize("cut", [np.s_[::2], np.s_[::-1], np.s_[:, :2], np.s_[:, None, ::2]])
def test_strided_arrays_are_refused(cut):
    whole = normal((4, 6), seed=3)
    x = whole[cut]
    g, state = np.ones(x.shape), RULE.init(np.ones(x.shape))
    refused_step(ValueError, "x is not dense", re.escape(str(x.shape)), x=x, g=g, state=state)
    refused_step(ValueError, "g is not dense", x=g, g=x, state=state)
    with refused(ValueError, "out is not dense", keep=[whole]):
        ps.prox(g, PENALTY, out=x)


def test_broadcast_arrays_are_refused():
    x, _, state = fresh((3, 4))
    g = np.broadcast_to(np.ones(4), (3, 4))
    refused_step(ValueError, "g is not dense", x=x, g=g, state=state)


def test_read_only_arrays_are_not_written():
    x, g, state = fresh()
    x.flags.writeable = False
    refused_step(ValueError, "x is read-only", x=x, g=g, state=state)
    with refused(ValueError, "out is read-only", keep=[g]):
        ps.soft_threshold(g, 0.3, out=x)
    assert ps.soft_threshold(x, 0.3).flags.writeable
    y, g, state = fresh()
    state.moments["exp_avg"].flags.writeable = False
    refused_step(ValueError, r"moments\[0\] is read-only", x=y, g=g, state=state)
    g.flags.writeable = False
    state.moments["exp_avg"].flags.writeable = True
    ps.step(y, g, RULE, PENALTY, state)
    assert state.step == 1
    with refused(ValueError, "read-only"):
        ps.Optimizer([y, x], RULE, PENALTY).step([g, g])


@pytest.mark.parametrize("shift", [0, 1, -1, 11, -11])
def test_overlapping_arrays_are_refused(shift):
    """From all of the array to a single element at either end."""
    whole = normal(36, seed=4)
    x, y = whole[12:24], whole[12 + shift : 24 + shift]
    state = RULE.init(x)
    refused_step(ValueError, "x and g overlap|g and x overlap", x=x, g=y, state=state)
    for key in state.moments:
        bad = RULE.init(x)
        bad.moments[key] = y
        refused_step(ValueError, "moments", "overlap", x=x, g=np.ones(12), state=bad)
    bad = RULE.init(x)
    bad.moments["exp_avg"] = bad.moments["exp_avg_sq"]
    refused_step(ValueError, "overlap", x=x, g=np.ones(12), state=bad)


@pytest.mark.parametrize("shift", [1, -1, 11, -11])
def test_out_is_the_point_or_apart_from_it(shift):
    whole = normal(40, seed=5)
    x, out = whole[12:24], whole[12 + shift : 24 + shift]
    with refused(ValueError, "out and [xz] overlap", keep=[whole]):
        ps.prox(x, PENALTY, out=out)
    want = ps.prox(x, PENALTY)
    for neighbour in (whole[:12], whole[24:36]):
        assert_same_bits(ps.prox(x, PENALTY, out=neighbour), want)


@pytest.mark.parametrize(("name", "r"), RULE_CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_arrays_are_no_ops(name, r, dtype):
    for shape in ((0,), (3, 0), (0, 5)):
        x = normal(shape, dtype, seed=6)
        state = rule(name, r).init(x)
        info = ps.step(x, x.copy(), rule(name, r), PENALTY, state, stats=True)
        assert (info.nonzeros, info.penalty, info.squared_change, info.finite) == (0, 0, 0, True)
        assert state.step == 1
        assert ps.prox(x, ps.Group(ps.L1(0.3), over="rows") if x.ndim == 2 else PENALTY).size == 0
    opt = ps.Optimizer([], rule(name, r), PENALTY)
    opt.step([])
    assert opt.steps == 1
    assert ps.global_norm([]) == 0.0
