"""What only a device can show: the libraries' own arrays, streams, graphs, both backends.

The laws of the kernels are those of test_device_*.py, which run on a device as well.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import assert_same_bits, normal
from lm_cases import make_trainer
from proxstep import _core

pytestmark = pytest.mark.gpu

N = 100_003
RULE, PENALTY = ps.AdamW(lr=0.05, weight_decay=0.3), ps.L1(0.1)


def cupy_tools() -> Any:
    cupy = pytest.importorskip("cupy")
    return SimpleNamespace(
        name="cupy",
        array=cupy.asarray,
        host=cupy.asnumpy,
        new_stream=lambda: cupy.cuda.Stream(non_blocking=True),
        on=lambda stream: stream,
        wait=lambda: cupy.cuda.Device().synchronize(),
    )


def torch_with_cuda() -> Any:
    """Torch; a test that asks for it is skipped where torch reaches no device."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA device")
    return torch


def torch_tools() -> Any:
    torch = torch_with_cuda()
    return SimpleNamespace(
        name="torch",
        array=lambda a: torch.from_numpy(a.copy()).cuda(),
        host=lambda t: t.detach().cpu().numpy(),
        new_stream=torch.cuda.Stream,
        on=torch.cuda.stream,
        wait=torch.cuda.synchronize,
    )


@pytest.fixture(params=[cupy_tools, torch_tools], ids=["cupy", "torch"])
def library(request: pytest.FixtureRequest) -> Any:
    """One of the libraries, and the backend that users get."""
    _core.set_cuda_backend(ps.cuda._backend())
    return request.param()


def cpu_step(x: Any, g: Any, steps: int = 1) -> Any:
    opt = ps.Optimizer([x], RULE, PENALTY)
    for _ in range(steps):
        opt.step([g])
    return x


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arrays_of_the_library_are_stepped_in_place(library: Any, dtype: str) -> None:
    x, g = normal(N, dtype, seed=1), normal(N, dtype, seed=2)
    there = library.array(x)
    state = RULE.init(there)
    info = ps.step(there, library.array(g), RULE, PENALTY, state, stats=True)
    want = cpu_step(x, g)
    assert_same_bits(library.host(there), want)
    assert info is not None
    assert info.nonzeros == np.count_nonzero(want)
    assert type(ps.prox(there, PENALTY)) is type(there)


def test_work_follows_the_current_stream(library: Any) -> None:
    """Gradients that a long chain makes on a stream that others do not wait for."""
    x, g = normal(N, "float32", seed=1), normal(N, "float32", seed=2)
    there, made = library.array(x), library.array(np.zeros_like(g))
    source = library.array(g)
    opt = ps.Optimizer([there], RULE, PENALTY)
    library.wait()
    stream = library.new_stream()
    with library.on(stream):
        for k in range(200):
            made[...] = source * float(k)
        made[...] = source
        opt.step([made])
        made[...] = 0 * made
    stream.synchronize()
    assert_same_bits(library.host(there), cpu_step(x, g))


def test_a_stream_by_its_protocol(library: Any) -> None:
    stream = library.new_stream()
    handle = stream.ptr if library.name == "cupy" else stream.cuda_stream
    x, g = normal(N, "float32", seed=1), normal(N, "float32", seed=2)
    there, grad = library.array(x), library.array(g)
    library.wait()
    with ps.cuda.stream(SimpleNamespace(__cuda_stream__=lambda: (0, handle))):
        ps.Optimizer([there], RULE, PENALTY).step([grad])
    stream.synchronize()
    assert_same_bits(library.host(there), cpu_step(x, g))


def test_clipping_waits_for_nobody_and_matches(library: Any) -> None:
    params = [normal(n, "float32", seed=n) for n in (7, 5000, 300_000)]
    grads = [normal(p.size, "float32", seed=p.size + 1) for p in params]
    there, there_grads = ([library.array(a) for a in arrays] for arrays in (params, grads))
    cpu, gpu = ps.Optimizer(params, RULE, PENALTY), ps.Optimizer(there, RULE, PENALTY)
    for _ in range(3):
        cpu.step(grads, max_norm=0.7)
        gpu.step(there_grads, max_norm=0.7)
    for got, want in zip(there, params, strict=True):
        np.testing.assert_allclose(library.host(got), want, rtol=1e-5, atol=1e-6)


def test_the_device_stays_current(library: Any) -> None:
    cupy = pytest.importorskip("cupy")
    if cupy.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("needs two devices")
    with cupy.cuda.Device(1):
        x, g = cupy.ones(10), cupy.ones(10)
    with cupy.cuda.Device(0):
        ps.step(x, g, ps.SGD(lr=0.1))
        assert cupy.cuda.runtime.getDevice() == 0


@pytest.mark.torch
def test_a_torch_parameter_that_requires_gradients() -> None:
    torch = torch_with_cuda()
    p = torch.nn.Parameter(torch.ones(1000, device="cuda"))
    (3 * p.sum()).backward()
    ps.step(p, p.grad, ps.SGD(lr=0.1), ps.L1(1.0))
    np.testing.assert_allclose(p.detach().cpu().numpy(), 0.6, rtol=1e-6)


@pytest.mark.torch
def test_a_graph_goes_on_with_every_replay() -> None:
    """Rates and the step count come from the device's memory; the rules' powers are its own."""
    torch = torch_with_cuda()
    x, g = normal(N, "float32", seed=1), normal(N, "float32", seed=2)
    there, grad = torch.from_numpy(x.copy()).cuda(), torch.from_numpy(g.copy()).cuda()
    gpu = ps.Optimizer([there], RULE, PENALTY, capturable=True)
    cpu = ps.Optimizer([x], RULE, PENALTY)
    gpu.step([grad], max_norm=2.0)  # what is made at a first call is no part of the graph
    cpu.step([g], max_norm=2.0)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        gpu.step([grad], max_norm=2.0)
    for rate in (0.05, 0.02, 0.3):
        gpu.rates[0] = rate
        graph.replay()
        cpu.step([g], lr=rate, max_norm=2.0)
    assert gpu.steps == 4
    np.testing.assert_allclose(there.cpu().numpy(), x, rtol=1e-5, atol=1e-6)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:The CUDA Graph is empty")
def test_an_optimizer_of_torch_is_not_captured() -> None:
    torch = torch_with_cuda()
    from proxstep.torch import ProxAdamW

    p = torch.nn.Parameter(torch.ones(1000, device="cuda"))
    optimizer = ProxAdamW([p], lr=0.1, penalty=ps.L1(0.1))
    p.grad = torch.ones_like(p)
    optimizer.step()
    before = p.detach().clone()
    with torch.cuda.graph(torch.cuda.CUDAGraph()), pytest.raises(RuntimeError, match="CUDA graph"):
        optimizer.step()
    assert torch.equal(p, before)


@pytest.mark.parametrize("name", ["LeastSquares", "Logistic", "Softmax"])
@pytest.mark.parametrize("penalty", [ps.L1(0.01), ps.ElasticNet(0.01, 0.1)])
def test_a_problem_is_solved_where_it_lies(library: Any, name: str, penalty: ps.Penalty) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 40))
    y = X @ rng.standard_normal(40) + rng.standard_normal(500)
    y = {"LeastSquares": y, "Logistic": (y > 0) * 1.0, "Softmax": np.digitize(y, [-3, 3])}[name]
    want = ps.solve(getattr(ps, name)(X, y), penalty, tol=1e-9)
    got = ps.solve(getattr(ps, name)(library.array(X), library.array(y)), penalty, tol=1e-9)
    assert got.converged
    np.testing.assert_allclose(got.objective, want.objective, rtol=1e-8)
    np.testing.assert_allclose(library.host(got.x), want.x, atol=1e-4)


def test_a_sparse_problem_is_solved_where_it_lies() -> None:
    sparse = pytest.importorskip("cupyx.scipy.sparse")
    scipy_sparse = pytest.importorskip("scipy.sparse")
    _core.set_cuda_backend(ps.cuda._backend())
    tools = cupy_tools()
    X = scipy_sparse.random(2000, 300, 0.05, "csr", random_state=0)
    y = X @ np.random.default_rng(1).standard_normal(300)
    want = ps.solve(ps.LeastSquares(X, y), ps.L1(0.01), tol=1e-8)
    for kind in (sparse.csr_matrix, sparse.csc_matrix):
        got = ps.solve(ps.LeastSquares(kind(X), tools.array(y)), ps.L1(0.01), tol=1e-8)
        np.testing.assert_allclose(got.objective, want.objective, rtol=1e-7)


def test_the_language_model_trains_on_cupy() -> None:
    pytest.importorskip("cupy")
    _core.set_cuda_backend(ps.cuda._backend())
    settings: dict[str, Any] = {"replicas": 1, "log_every": 1, "lr": 0.03}
    settings |= {"penalty": "l1", "lam": 0.4, "sizes": {"layers": 1}}
    records = [
        list(make_trainer(device=device, **settings).records()) for device in ("cpu", "cuda")
    ]
    for want, got in zip(*records, strict=True):
        assert got.train_loss == pytest.approx(want.train_loss, rel=1e-4)
        assert got.zeros == pytest.approx(want.zeros, rel=1e-2)


def test_both_backends_give_the_same_bits() -> None:
    pytest.importorskip("cupy")
    cuda = pytest.importorskip("proxstep._cuda")
    from proxstep._cupy import CuPyBackend

    tools, found = cupy_tools(), []
    x, g = normal(N, "float32", seed=1), normal(N, "float32", seed=2)
    for backend in (cuda.functions, CuPyBackend()):
        _core.set_cuda_backend(backend)
        there = tools.array(x)
        ps.Optimizer([there], RULE, PENALTY).step([tools.array(g)], max_norm=1.0)
        found.append(tools.host(there))
    _core.set_cuda_backend(ps.cuda._backend())
    assert_same_bits(*found)
