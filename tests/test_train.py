"""Laws of ps.train, and the first examples of every textbook."""

from __future__ import annotations

import warnings

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from proxstep.schedules import Anneal, Constant, Cosine, CubicRamp, InverseTime, WarmUp

RULES = [
    ps.SGD(0.3),
    ps.Momentum(0.03),
    ps.Nesterov(0.03),
    ps.FISTA(0.1, momentum=0.5),
    ps.Adagrad(0.3),
    ps.Adam(0.03),
    ps.AdamW(0.03, weight_decay=1e-4),
    ps.RDA(2.0),
    ps.FTRL(0.7),
]
rules = pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)


@rules
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_rule_lowers_the_objective(rule, dtype):
    problem = cases.problem(cases.data("Softmax", weighted=True), dtype)
    penalty = ps.L1(0.01)
    start = problem.value(np.zeros(problem.shape), np.zeros(3))
    best = ps.solve(problem, penalty).objective
    history = ps.train(problem, rule, penalty, batch_size=8, epochs=60)
    assert history.x.dtype == np.dtype(dtype)
    # FTRL counts the penalty once in all, not once a step.
    reached = history.loss[-1] if isinstance(rule, ps.FTRL) else history.objective[-1]
    assert reached < best + 0.35 * (start - best)


@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_batch_gradients_average_to_the_whole(kind, weighted, intercept):
    d = cases.data(kind, weighted)
    problem = cases.problem(d, fit_intercept=intercept)
    rng = np.random.default_rng(4)
    x, b = rng.normal(0, 0.5, d.shape), rng.normal(0, 0.5, d.shape[1:] or 1)
    order = rng.permutation(len(d.X))[:36]  # of 37; the sizes of batches are equal
    batches = [problem.batch(order[k : k + 6], x, b) for k in range(0, 36, 6)]
    one = problem.batch(order, x, b)
    for mean, whole in zip(zip(*batches, strict=True), one, strict=True):
        np.testing.assert_allclose(np.mean(mean, axis=0), whole, rtol=1e-12, atol=1e-14)
    every = problem.batch(np.arange(len(d.X)), x, b)
    by_x, by_b = problem.gradient(x, b.reshape(d.shape[1:]))
    np.testing.assert_allclose(every[1], by_x, atol=1e-13)
    np.testing.assert_allclose(every[2].reshape(by_b.shape), by_b, atol=1e-13)


def test_full_batches_of_gradient_steps_are_proximal_gradient_descent():
    d = cases.data("Logistic")
    problem = cases.problem(d, fit_intercept=False)
    history = ps.train(problem, ps.SGD(0.2), ps.L1(0.03), batch_size=1000, epochs=5)
    x = np.zeros(6)
    for k in range(5):
        x = ps.L1(0.03).prox(x - 0.2 * problem.gradient(x)[0], 0.2)
        assert history.objective[k] == pytest.approx(problem.value(x) + 0.03 * np.abs(x).sum())
    np.testing.assert_allclose(history.x, x, rtol=1e-12)
    assert history.intercept == 0.0


def test_a_decaying_rate_reaches_the_optimum_and_a_seed_repeats_a_run():
    problem = cases.problem(cases.data("Logistic", weighted=True))
    best = ps.solve(problem, ps.ElasticNet(0.02, 0.05), tol=1e-9)
    run = lambda seed: ps.train(  # noqa: E731
        problem, ps.SGD(1.0), ps.ElasticNet(0.02, 0.05), batch_size=5, epochs=400,
        schedule=InverseTime(0.5, decay=0.02), seed=seed,
    )  # fmt: skip
    one, again, other = run(7), run(7), run(8)
    assert one.objective[-1] <= best.objective * (1 + 1e-3)
    np.testing.assert_array_equal(one.x, again.x)
    assert (one.x != other.x).any()


def test_the_schedule_gives_the_rate_of_every_update():
    problem = cases.problem(cases.data("LeastSquares"))
    rate = WarmUp(Cosine(0.02, steps=30), steps=5)
    history = ps.train(problem, ps.SGD(99.0), batch_size=10, epochs=6, schedule=rate)
    np.testing.assert_allclose(history.lr, [rate(4 * k + 3) for k in range(6)])
    fixed = ps.train(problem, ps.SGD(0.02), batch_size=10, epochs=6)
    same = ps.train(problem, ps.SGD(99.0), batch_size=10, epochs=6, schedule=Constant(0.02))
    np.testing.assert_array_equal(fixed.x, same.x)


def split(kind):
    d = cases.data(kind, n=60, p=20, seed=5)
    parts = (slice(0, 30), slice(30, 60))
    first, second = (cases.problem(d.rows(rows)) for rows in parts)
    return first, second


@pytest.mark.parametrize("kind", ["LeastSquares", "Logistic", "Softmax"])
def test_early_stopping_returns_the_best_held_out_parameters(kind):
    problem, held_out = split(kind)
    history = ps.train(
        problem, ps.Adam(0.05), batch_size=10, epochs=400, validation=held_out, patience=12
    )
    assert history.reason == "early stopping"
    assert history.epochs == history.best_epoch + 13
    assert history.best_epoch == np.argmin(history.val_loss)
    assert history.val_loss[-1] > history.val_loss.min()
    assert held_out.value(history.x, history.intercept) == pytest.approx(history.val_loss.min())
    patient = ps.train(problem, ps.Adam(0.05), batch_size=10, epochs=40, validation=held_out)
    assert (patient.reason, patient.epochs) == ("finished", 40)


def test_the_history_tells_the_truth():
    problem = cases.problem(cases.data("Softmax"))
    history = ps.train(problem, ps.SGD(0.2), ps.L1(0.05), batch_size=9, epochs=12)
    assert history.loss[-1] == pytest.approx(problem.value(history.x, history.intercept))
    penalty = 0.05 * np.abs(history.x).sum()
    assert history.objective[-1] == pytest.approx(history.loss[-1] + penalty)
    assert history.nonzeros[-1] == np.count_nonzero(history.x) < history.x.size
    assert np.isnan(history.val_loss).all()
    assert (np.diff(history.seconds) > 0).all()
    assert repr(history).startswith("History(finished after 12 epochs: objective ")


SCHEDULED = [
    ps.TopK(0.4, schedule=CubicRamp(1.0, 0.4, begin_step=4, end_step=12)),
    ps.Quantize(3, scale=0.13, rho=Anneal(2, 15)),
]


@pytest.mark.parametrize("penalty", SCHEDULED, ids=lambda h: type(h).__name__)
def test_the_objective_has_the_penalty_of_the_epochs_last_update(penalty):
    problem = cases.problem(cases.data("Logistic"))
    kept = []
    for epochs in range(1, 7):
        history = ps.train(problem, ps.SGD(0.4), penalty, batch_size=13, epochs=epochs)
        now = penalty.at(3 * epochs - 1)
        h = now if isinstance(now, ps.Quantize) else ps.TopK(now)
        assert history.objective[-1] == history.loss[-1] + h.value(history.x)
        kept.append(h.value(history.x))
    assert np.isfinite(history.objective).all()
    assert kept[-1] == 0.0  # all to the levels, or no more than may stay


def test_a_start_is_used_and_left_alone():
    problem = cases.problem(cases.data("Logistic"))
    x0 = np.linspace(-0.3, 0.4, 6)
    history = ps.train(problem, ps.SGD(0.1), batch_size=9, epochs=0, x0=x0, intercept0=0.7)
    np.testing.assert_array_equal(history.x, x0)
    assert (history.intercept, history.best_epoch, history.epochs) == (0.7, -1, 0)
    ps.train(problem, ps.SGD(0.1), batch_size=9, epochs=3, x0=x0)
    np.testing.assert_array_equal(x0, np.linspace(-0.3, 0.4, 6))


def test_a_diverged_run_says_so_and_never_looks_sparse():
    problem = cases.problem(cases.data("LeastSquares"))
    with pytest.warns(ps.ConvergenceWarning, match=r"diverged in epoch .* lower it") as caught:
        history = ps.train(problem, ps.SGD(50.0), ps.L1(0.1), batch_size=10, epochs=200)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert history.reason == "diverged"
    assert not np.isfinite(history.loss[-1])
    assert history.nonzeros[-1] == 6
    clipped = ps.train(problem, ps.SGD(0.5), batch_size=10, epochs=20, max_norm=0.1)
    assert clipped.reason == "finished"


def test_ctrl_c_returns_what_there_is():
    def impatient(step):
        if step == 10:
            raise KeyboardInterrupt
        return 0.1

    problem = cases.problem(cases.data("Logistic"))
    history = ps.train(problem, ps.SGD(1.0), batch_size=10, epochs=9, schedule=impatient)
    assert (history.reason, history.epochs) == ("interrupted", 2)
    assert history.x.any()


@pytest.mark.parametrize("stop", ["diverged", "interrupted"])
def test_the_parameters_are_those_of_the_best_epoch(stop):
    """What a broken-off epoch has stepped further is not among them."""

    def rate(update):
        if update == 10 and stop == "interrupted":
            raise KeyboardInterrupt
        return 1e200 if update == 10 else 0.1

    problem = cases.problem(cases.data("LeastSquares"))
    run = {"rule": ps.SGD(0.1), "penalty": ps.L1(1e-3), "batch_size": 10}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = ps.train(problem, **run, epochs=9, schedule=rate)
    whole = ps.train(problem, **run, epochs=2)
    assert (history.reason, history.best_epoch, whole.best_epoch) == (stop, 1, 1)
    np.testing.assert_array_equal(history.x, whole.x)
    assert history.intercept == whole.intercept
    assert "best_epoch 1," in repr(history)
    assert ["in epoch 2:" in str(one.message) for one in caught] == [True] * (stop == "diverged")


def test_the_metric_of_the_prox_is_the_users_choice():
    problem = cases.problem(cases.data("Logistic"))
    runs = [
        ps.train(problem, ps.Adam(0.05), ps.L1(0.2), batch_size=10, epochs=20, metric=metric)
        for metric in ("diagonal", "euclidean")
    ]
    assert (runs[0].x != runs[1].x).any()


def test_a_plot_shows_losses_and_nonzeros(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    problem, held_out = split("Logistic")
    history = ps.train(
        problem, ps.SGD(0.1), ps.L1(0.01), batch_size=10, epochs=5, validation=held_out
    )
    axes = history.plot()
    assert [line.get_label() for line in axes.lines] == ["training loss", "validation loss"]
    assert history.plot(axes) is axes
    matplotlib.pyplot.close("all")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="matplotlib"):
        history.plot()
