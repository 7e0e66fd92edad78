"""How soon the pace recovers after the process was stopped for a while (SIGSTOP, SIGCONT).

    python -m benchmarks.pause [--seconds 5 20 60] [--check]

It runs an import in its own process against an emulator, for each rate limit algorithm, with and
without rate headers. The emulator's counter gives the pace before the pause, and the pace from two
seconds after the process continued.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks.setting import emulator, environment_for, machine, write_customers

__all__ = ("main",)

LEAST_SHARE = 0.9
BACK_WITHIN_S = 2.0
SETTLED_S = 8.0
MEASURED_S = 10.0
WORLDS = {
    "fixed, headers": ("--algorithm", "fixed"),
    "leaky, headers": ("--algorithm", "leaky"),
    "fixed, no headers": ("--algorithm", "fixed", "--no-headers"),
    "leaky, no headers": ("--algorithm", "leaky", "--no-headers"),
    "sliding, no headers": ("--algorithm", "sliding", "--no-headers"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measurements; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, nargs="+", default=[5.0, 20.0, 60.0])
    parser.add_argument("--world", choices=WORLDS, nargs="+", default=list(WORLDS))
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)

    print(f"pace from {BACK_WITHIN_S:g} s after a pause, against the pace before (bar: {LEAST_SHARE}); {machine()}\n")
    missed = 0
    for name in given.world:
        for seconds in given.seconds:
            before, after = measure(WORLDS[name], seconds)
            is_missed = after < LEAST_SHARE * before
            missed += is_missed
            told = f"{before:.2f}/s before, {after:.2f}/s after: {after / before:.2f}"
            print(f"{name:20} stopped {seconds:3g} s: {told}{'  MISSED' if is_missed else ''}", flush=True)
    return 1 if missed and given.check else 0


def measure(world: Sequence[str], pause_s: float) -> tuple[float, float]:
    """Return the requests a second before a pause, and from two seconds after it."""
    # Half a second of latency: several requests are in flight when the process is stopped.
    slow = ("--latency-ms", "500")
    with tempfile.TemporaryDirectory() as folder, emulator(*world, *slow, core=None) as url:
        rows = Path(folder) / "customers.ndjson"
        write_customers(rows, 2000)
        command = [sys.executable, "-m", "bulkgladly", "import", "customers", str(rows), "--progress", "none"]
        environment = environment_for(url) | {"PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while requests(url) < 5:
                if process.poll() is not None:
                    raise RuntimeError(f"the import ended by itself: {process.returncode}")
                time.sleep(0.1)
            time.sleep(SETTLED_S)
            before = rate(url)
            process.send_signal(signal.SIGSTOP)
            time.sleep(pause_s)
            process.send_signal(signal.SIGCONT)
            time.sleep(BACK_WITHIN_S)
            return before, rate(url)
        finally:
            process.kill()
            process.wait(10)


def rate(url: str) -> float:
    """Return the requests a second over the next seconds."""
    begun, first = time.monotonic(), requests(url)
    time.sleep(MEASURED_S)
    return (requests(url) - first) / (time.monotonic() - begun)


def requests(url: str) -> int:
    """Return the number of requests that the emulator has got."""
    with urllib.request.urlopen(f"{url}/_emulator/status", timeout=10) as answer:  # noqa: S310 - loopback
        found: dict[str, int] = json.load(answer)["requests"]
    return sum(found.values())


if __name__ == "__main__":
    sys.exit(main())
