"""Measurements that anyone can repeat; `python -m benchmarks` runs all of them and checks their bars."""
