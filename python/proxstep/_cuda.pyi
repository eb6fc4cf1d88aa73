# The compiled module of kernels, where it was built.
from typing import Any

architectures: str
functions: Any  # a capsule for the core

def devices() -> tuple[int, str]: ...
