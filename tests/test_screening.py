"""Laws of screening: what leaves the products with X is zero at the optimum."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
from descent_cases import problem
from proxstep.solvers.certificate import certificate_for
from proxstep.solvers.grouping import group_ids
from proxstep.solvers.screening import screening_for


@pytest.mark.parametrize("groups", [None, 10])
@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic", "Huber"])
def test_what_is_screened_is_zero_at_the_optimum(loss: str, groups: int | None) -> None:
    P, lam = problem((41, 130), loss), 0.12 if groups is None else 0.35
    h = ps.L1(lam) if groups is None else ps.Group(ps.L1(lam), groups)
    best = ps.solve(P, h, tol=1e-12)
    certificate = certificate_for(P, h)
    ids = None if groups is None else group_ids(groups, P.shape)
    screening = screening_for(P, certificate, ids)
    assert screening is not None
    for tol in (1e-1, 1e-2, 1e-4, 1e-8):
        at = P.evaluate(ps.solve(P, h, tol=tol).x)
        objective = at.loss + h.value(at.x)
        certificate.measure(at, objective, 1.0)
        screening.update(at, objective, 1e-15)
        assert not best.x[~screening.kept].any()
    assert 0 < np.count_nonzero(best.x) <= np.count_nonzero(screening.kept) < 130
    whole = P.evaluate(at.x).gradient
    screening.shorten(at := P.evaluate(at.x))
    np.testing.assert_allclose(at.gradient[screening.kept], whole[screening.kept], atol=1e-14)
    assert not at.gradient[~screening.kept].any()


def test_no_rule_screens_where_none_is_known() -> None:
    P = problem((60, 17), "LeastSquares")
    for h in (ps.L1(0.1, weights=np.arange(17.0)), ps.MCP(0.1), ps.SparseGroup(0.1, 0.1, 17)):
        assert screening_for(P, certificate_for(P, h), None) is None
    assert screening_for(problem((60, 17), "Poisson"), certificate_for(P, ps.L1(0.1)), None) is None
    screening = screening_for(P, certificate_for(P, ps.ElasticNet(0.1, 0.2)), None)
    assert screening is not None
    assert (screening.limits == 0).all()
