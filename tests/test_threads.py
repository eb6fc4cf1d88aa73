"""The thread pool: forks, many callers, limits from outside, and what an import may not do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import proxstep as ps
import pytest
from cases import assert_same_bits, normal

N = 400_003
RULE, PENALTY = ps.AdamW(0.11, eps=0.017), ps.ElasticNet(0.23, 0.41)


def stepped(seed=140):
    x, g = normal(N, "float32", seed=seed), normal(N, "float32", seed=seed + 1)
    info = ps.step(x, g, RULE, PENALTY, RULE.init(x), stats=True)
    return x, info


def run(code, **environment):
    """What a fresh interpreter prints, with exactly these thread settings."""
    names = ("OMP_NUM_THREADS", "PROXSTEP_NUM_THREADS", "PROXSTEP_ISA")
    clean = {k: v for k, v in os.environ.items() if k not in names}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("generations", [1, 2])
def test_a_forked_child_steps_with_a_pool_of_its_own(threads, generations):
    """libgomp hangs here. The child also forks when asked for two generations."""
    ps.set_num_threads(2)
    want, _ = stepped()
    child = os.fork()
    if child == 0:
        if generations == 2 and os.fork() != 0:
            _, status = os.wait()
            os._exit(os.waitstatus_to_exitcode(status))
        got, _ = stepped()
        os._exit(0 if np.array_equal(got, want) else 1)
    assert wait_at_most(child, seconds=60) == 0
    assert_same_bits(stepped()[0], want)


def wait_at_most(child, seconds):
    """The exit code of the child, or an error and no child if it hangs."""
    timer = threading.Timer(seconds, os.kill, (child, 9))
    timer.start()
    status = os.waitpid(child, 0)[1]
    timer.cancel()
    return os.waitstatus_to_exitcode(status)


def test_four_python_threads_at_once(threads):
    """Each on its own arrays; together they share the pool and change nothing."""
    ps.set_num_threads(2)
    want = {seed: stepped(seed) for seed in (140, 150, 160, 170)}
    with ThreadPoolExecutor(4) as workers:
        for _ in range(3):
            for seed, (x, info) in zip(want, workers.map(stepped, want), strict=True):
                assert_same_bits(x, want[seed][0])
                assert info == want[seed][1]


def test_the_gil_is_released_while_a_kernel_runs(threads):
    """A second Python thread counts while the first is inside one long step."""
    ps.set_num_threads(1)
    x, g = np.ones(30_000_000, np.float32), np.ones(30_000_000, np.float32)
    running, seen = threading.Event(), []

    def count():
        while running.is_set():
            seen.append(None)

    running.set()
    counter = threading.Thread(target=count)
    counter.start()
    before = len(seen)
    ps.step(x, g, ps.SGD(0.17), ps.L1_2(0.37))
    during = len(seen) - before
    running.clear()
    counter.join()
    assert during > 1000


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "PROXSTEP_NUM_THREADS"])
def test_thread_variables_are_obeyed(variable):
    code = "import proxstep as ps; print(ps.get_num_threads())"
    assert run(code, **{variable: "3"}) == "3"


def test_own_variable_wins_and_nonsense_is_ignored():
    code = "import proxstep as ps; print(ps.get_num_threads())"
    both = {"OMP_NUM_THREADS": "3", "PROXSTEP_NUM_THREADS": "2"}
    assert run(code, **both) == "2"
    assert int(run(code, OMP_NUM_THREADS="many")) >= 1


def test_one_thread_means_that_no_thread_is_started():
    code = """
import os, numpy as np, proxstep as ps
before = len(os.listdir("/proc/self/task"))
x = np.ones(3_000_000)
ps.soft_threshold(x, 0.3, out=x)
print(len(os.listdir("/proc/self/task")) - before)
"""
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("needs /proc")
    limits = {"OPENBLAS_NUM_THREADS": "1"}
    assert run(code, PROXSTEP_NUM_THREADS="1", **limits) == "0"
    assert run(code, PROXSTEP_NUM_THREADS="2", **limits) == "1"
    small = code.replace("3_000_000", "3_000")
    assert run(small, PROXSTEP_NUM_THREADS="2", **limits) == "0"


def test_affinity_is_the_default():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("needs sched_setaffinity")
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
    assert run(code + "import proxstep as ps; print(ps.get_num_threads())") == "1"


def test_set_num_threads(threads):
    ps.set_num_threads(2)
    assert ps.get_num_threads() == 2
    for bad in (-1, 1.5, "2", None):
        with pytest.raises((TypeError, ValueError), match=f"^n is {bad!r}; "):
            ps.set_num_threads(bad)
    assert ps.get_num_threads() == 2


@pytest.mark.parametrize("first", ["threadpoolctl", "proxstep"])
def test_threadpoolctl_limits_are_obeyed(first):
    """Whichever is imported first: a limit holds inside its block and no longer."""
    pytest.importorskip("threadpoolctl")
    code = f"""
import {first}
import threadpoolctl, proxstep as ps
with threadpoolctl.threadpool_limits(1):
    print(ps.get_num_threads())
print(ps.get_num_threads())
print([i["num_threads"] for i in threadpoolctl.threadpool_info() if i["user_api"] == "proxstep"])
"""
    assert run(code, PROXSTEP_NUM_THREADS="2").split("\n") == ["1", "2", "[2]"]


def test_instruction_set_variable():
    from proxstep import _core

    for name in _core.isas():
        assert run("from proxstep import _core; print(_core.isa())", PROXSTEP_ISA=name) == name


def test_import_leaves_denormals_alone():
    """A library linked with fast-math would make the second number zero."""
    code = """
import numpy as np
a = np.full(64, 2.3e-308)
before = (a / 8).sum()
import proxstep as ps
ps.soft_threshold(np.ones(100_000), 0.3)
assert before > 0 and (a / 8).sum() == before
print("same")
"""
    assert run(code) == "same"


def test_import_is_quick_and_brings_no_optional_package():
    code = """
import time, numpy, sys
start = time.thread_time()  # NumPy started threads of its own
import proxstep
spent = time.thread_time() - start
print(spent, *({"torch", "scipy", "matplotlib", "sklearn", "ml_dtypes"} & set(sys.modules)))
"""
    run(code)  # compiles the byte code
    spent = [run(code).split() for _ in range(5)]
    assert all(len(words) == 1 for words in spent), spent
    assert min(float(words[0]) for words in spent) < 0.1
