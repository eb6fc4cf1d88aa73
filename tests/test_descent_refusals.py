"""What coordinate descent refuses, at its two borders."""

from __future__ import annotations

import numpy as np
import proxstep as ps
from descent_cases import data, problem
from proxstep import _core
from refusals import refused


def test_what_it_does_not_serve_is_refused_by_name() -> None:
    P = problem((60, 17), "LeastSquares")
    for h in (ps.L1Ball(1.0), ps.L0(0.1), ps.Group(ps.L0(0.1), 17)):
        assert ps.solve(P, h, tol=1e-4).solver == "fista"
        with refused(ValueError, "solver='cd' does not serve .*; 'fista' does"):
            ps.solve(P, h, solver="cd")


def test_the_core_refuses_what_does_not_fit() -> None:
    X, y = data((60, 17), "LeastSquares")
    matrix = _core.Matrix(np.asfortranarray(X))
    with refused(ValueError, "no loss 'hinge'"):
        _core.Descent(matrix, "hinge", [], y)
    with refused(ValueError, r"targets has shape \(59,\); \(60,\) in C order is needed"):
        _core.Descent(matrix, "square", [], y[:-1].copy())
    held, x, zeros = _core.Descent(matrix, "square", [], y), np.zeros(17), np.zeros(60)
    arguments = (x, zeros, np.zeros(17), 0.0, 10)
    for wrong in ([0, 17], [3, 3], [4, 2], [5, -1]):
        words = rf"blocks\[1\] is {wrong[1]}; they increase within 0 to 16"
        with refused(ValueError, words, keep=[x]):
            held.run(ps.L1(0.1).spec, np.array(wrong), *arguments)
    with refused(TypeError, "targets is None"):
        _core.Descent(matrix, "square", [], None)
    for gone in (1, 2):
        given = (*arguments[:gone], None, *arguments[gone + 1 :])
        with refused(TypeError, "(margins|gradient) is None", keep=[x]):
            held.run(ps.L1(0.1).spec, np.arange(2), *given)
    with refused(TypeError, "N:M", keep=[x]):
        held.run(ps.Quantize(2).spec, np.arange(2), *arguments)
