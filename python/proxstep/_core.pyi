from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

__version__: str
cuda_status: str

class CudaError(RuntimeError): ...

def set_cuda_backend(backend: Any) -> None: ...
def chosen_stream() -> int | None: ...
def choose_stream(handle: int | None) -> None: ...

class Decoder:
    def __init__(
        self, outer: dict[str, Any], blocks: list[dict[str, Any]], erf: bool, sparse: bool
    ) -> None: ...
    def read(self, tokens: Any, logits: Any, afresh: bool) -> None: ...
    @property
    def packed(self) -> int: ...

def normal_cdf(x: Any, out: Any) -> None: ...

class RuleSpec:
    def __init__(self, name: str, settings: Sequence[float], directed: bool = False) -> None: ...
    @property
    def slots(self) -> int: ...

class PenaltySpec:
    def __init__(self, name: str, settings: Sequence[float], weights: Any = None) -> None: ...
    def group(
        self,
        name: str,
        settings: Sequence[float],
        over: str,
        sizes: Sequence[int],
        weights: Any = None,
    ) -> None: ...
    def keep(self, n: int, m: int) -> None: ...
    def quantize(
        self,
        most: float,
        per_scale: float,
        table: Sequence[float],
        rho: float,
        scale: str,
        multiple: float,
        scales: Any,
    ) -> None: ...
    def quantize_over(self, over: str, block: int) -> None: ...

class Plan:
    def __init__(self, dtype: Any = None, seed: int = 0, stochastic: bool = False) -> None: ...
    def add_group(self, rule: RuleSpec, euclidean: bool) -> None: ...
    def set_rule(self, group: int, rule: RuleSpec) -> None: ...
    def add(
        self,
        group: int,
        x: Any,
        moments: tuple[Any, ...],
        penalty: PenaltySpec | None,
        count: Any = None,
        master: Any = None,
        selection: int = ...,
        place: int | None = None,
    ) -> None: ...
    def set_penalty(self, entry: int, penalty: PenaltySpec | None) -> None: ...
    def set_rho(self, entry: int, rho: float) -> None: ...
    def taken(self, entry: int, count: float) -> float: ...
    def set_taken(self, entry: int, taken: float) -> None: ...
    def check_overlaps(self) -> None: ...
    def on_device(self) -> bool: ...
    def step(
        self,
        grads: list[Any],
        t: float,
        lrs: Sequence[float],
        grad_scale: float,
        max_norm: float,
        statistics: bool,
        rates: Any = None,
        count: Any = None,
        keep: list[int | float] = ...,
    ) -> tuple[float | None, tuple[int, float, float, bool] | None]: ...
    def check(
        self,
        grads: list[Any],
        grad_scale: float,
        keep: list[int | float],
        lrs: Sequence[float] = ...,
    ) -> None: ...

class RowPlan:
    def __init__(
        self,
        x: Any,
        moments: tuple[Any, ...],
        rule: RuleSpec,
        penalty: PenaltySpec | None,
        euclidean: bool,
        taken: int,
    ) -> None: ...
    def rebind(
        self,
        x: Any,
        moments: tuple[Any, ...],
        rule: RuleSpec,
        penalty: PenaltySpec | None,
        euclidean: bool,
    ) -> None: ...
    def step_rows(self, rule: RuleSpec, indices: Any, values: Any, grad_scale: float) -> None: ...
    def step_awake(self, rule: RuleSpec, gradient: Any, grad_scale: float) -> None: ...
    def check(self, indices: Any, values: Any, grad_scale: float) -> None: ...
    def catch_up(self, indices: Any) -> bool: ...
    def flush(self) -> bool: ...
    def forget(self) -> bool: ...
    @property
    def now(self) -> int: ...

def isa() -> str: ...
def isas() -> list[str]: ...
def set_isa(name: str) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def stay_serial() -> None: ...
def rule_names() -> list[str]: ...
def penalty_names() -> list[str]: ...
def loss_names() -> list[str]: ...
def soft_threshold(x: Any, threshold: float, out: Any, dtype: Any) -> None: ...

class Matrix:
    @overload
    def __init__(self, values: Any) -> None: ...
    @overload
    def __init__(
        self, values: Any, indices: Any, starts: Any, shape: tuple[int, int], layout: str
    ) -> None: ...
    def times(self, factors: Any) -> Matrix: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def layout(self) -> str: ...

class RowsDescent:
    def __init__(
        self,
        matrix: Matrix,
        outputs: int,
        loss: str,
        targets: Any,
        shares: Any = None,
        means: Any = None,
    ) -> None: ...
    def run(
        self,
        penalty: PenaltySpec,
        rows: Any,
        x: Any,
        margins: Any,
        tolerance: float,
        max_epochs: int,
        stop: Callable[[], bool] | None = None,
    ) -> tuple[list[float], int, int]: ...

class Descent:
    def __init__(
        self,
        matrix: Matrix,
        loss: str,
        settings: Sequence[float],
        targets: Any,
        shares: Any = None,
        means: Any = None,
    ) -> None: ...
    def keep_gram(self, gram: Any) -> None: ...
    def run(
        self,
        penalty: PenaltySpec,
        blocks: Any,
        x: Any,
        margins: Any,
        gradient: Any,
        tolerance: float,
        max_epochs: int,
        stop: Callable[[], bool] | None = None,
    ) -> tuple[float, int]: ...

class ManySquares:
    def __init__(self, X: Any, Y: Any, shares: Any, fit_intercept: bool) -> None: ...
    def run(
        self,
        penalty: PenaltySpec,
        fits: Any,
        x: Any,
        gradient: Any,
        reports: Any,
        tolerance: float,
        max_epochs: int,
        stop: Any = None,
    ) -> None: ...

def adjoint(matrix: Matrix, residual: Any, out: Any, columns: Any = None) -> None: ...
def add_product(matrix: Matrix, x: Any, margins: Any, columns: Any = None) -> None: ...
def mean_squares(matrix: Matrix, out: Any, shares: Any = None, means: Any = None) -> None: ...
def gram(matrix: Matrix, out: Any, shares: Any = None, means: Any = None) -> None: ...
def prox(z: Any, penalty: PenaltySpec, step: Any, out: Any, dtype: Any = None) -> None: ...
def value(x: Any, penalty: PenaltySpec, dtype: Any = None) -> float: ...
def step(
    x: Any,
    g: Any,
    rule: RuleSpec,
    penalty: PenaltySpec | None,
    moments: tuple[Any, ...],
    t: float,
    lr: float,
    grad_scale: float,
    euclidean: bool,
    statistics: bool,
    dtype: Any,
    keep: int | float | None = None,
) -> tuple[int, float, float, bool] | None: ...
def global_norm(arrays: list[Any], dtype: Any = None) -> float: ...
def project(
    z: Any, out: Any, onto: str, radius: float, by_rows: bool, dtype: Any = None
) -> None: ...
def top_k(z: Any, out: Any, k: int | float, by_rows: bool, dtype: Any = None) -> None: ...
def kept_of(k: int | float, n: int) -> int: ...
@overload
def softmax_cross_entropy(
    logits: Any,
    targets: Any,
    grad: Any = None,
    row_weights: Any = None,
    scale: float = 1.0,
    value: Literal[True] = True,
) -> float: ...
@overload
def softmax_cross_entropy(
    logits: Any,
    targets: Any,
    grad: Any,
    row_weights: Any = None,
    scale: float = 1.0,
    *,
    value: Literal[False],
) -> None: ...
@overload
def logistic_loss(
    margin: Any,
    targets: Any,
    grad: Any = None,
    row_weights: Any = None,
    scale: float = 1.0,
    value: Literal[True] = True,
) -> float: ...
@overload
def logistic_loss(
    margin: Any,
    targets: Any,
    grad: Any,
    row_weights: Any = None,
    scale: float = 1.0,
    *,
    value: Literal[False],
) -> None: ...
def margin_loss(
    name: str,
    settings: list[float],
    margin: Any,
    targets: Any,
    grad: Any = None,
    bend: Any = None,
    row_weights: Any = None,
    scale: float = 1.0,
) -> float: ...
def norm_forward(x: Any, gain: Any, unit: Any, scale: Any, y: Any, branch: Any = None) -> None: ...
def norm_backward(dy: Any, gain: Any, unit: Any, scale: Any, dgain: Any, dx: Any) -> None: ...
def gelu_forward(x: Any, y: Any) -> None: ...
def gelu_backward(x: Any, dy: Any) -> None: ...
def attention_scratch(qkv: Any, batch: int, heads: int) -> int: ...
def attention_forward(
    qkv: Any, o: Any, kept: Any, scratch: Any, batch: int, heads: int
) -> None: ...
def attention_backward(
    d_o: Any, o: Any, qkv: Any, kept: Any, d_qkv: Any, scratch: Any, batch: int, heads: int
) -> None: ...
