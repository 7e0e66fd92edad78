"""Measurements that anyone can repeat; `python -m benchmarks` runs them all against their bars."""
