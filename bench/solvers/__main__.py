"""`python bench/solvers`: puts the benchmarks on the path, then runs the report."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from solvers.report import main

main(sys.argv[1:])
