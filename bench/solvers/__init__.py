"""Compare `proxstep.solve` with its peers by the time to a stated suboptimality."""
