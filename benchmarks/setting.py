"""What the benchmarks share: the line about the machine, an emulator in its own process, invented customers."""

import contextlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

__all__ = ("TOKEN", "USERNAME", "emulator", "environment_for", "machine", "pin", "soak", "write_customers")

USERNAME, TOKEN = "agent@example.org", "emulator-token"


def machine() -> str:
    """Return the line about the machine: cores, Python, system."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def pin(core: int, process: int = 0) -> None:
    """Pin a process (by default this one) to one core, if the system can do so."""
    if hasattr(os, "sched_setaffinity"):
        cores = list(range(os.cpu_count() or 1))
        os.sched_setaffinity(process, {cores[core % len(cores)]})


@contextlib.contextmanager
def emulator(*arguments: str, core: int | None = 1) -> Iterator[str]:
    """Run an emulator in its own process, pinned to a core, and yield its URL."""
    command = [sys.executable, "-m", "bulkgladly.emulator", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    if core is not None:
        pin(core, process.pid)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                break
        else:
            raise RuntimeError("the emulator did not start")
    finally:
        process.terminate()
        process.wait(10)


def environment_for(url: str) -> dict[str, str]:
    """Return the environment variables for a program that uses this emulator."""
    return {**os.environ, "GLADLY_HOST": url, "GLADLY_USERNAME": USERNAME, "GLADLY_API_TOKEN": TOKEN}


def write_customers(path: Path, number: int, *, filler: int = 0) -> None:
    """Write invented customers as NDJSON, about 250 bytes each plus `filler`."""
    note = "x" * filler
    with path.open("wb") as file:
        for n in range(number):
            customer = {
                "id": f"bench-{n:09}",
                "name": f"Person Number {n}",
                "address": f"{n % 900 + 1} Example Lane, Springfield",
                "emails": [{"original": f"person{n}@example.org", "primary": True}],
                "phones": [{"original": f"+165055501{n % 100:02}", "type": "HOME"}],
                "customAttributes": {"tier": "gold", "since": "2019-02-21", **({"note": note} if filler else {})},
            }
            file.write(orjson.dumps(customer) + b"\n")


def soak(test: str, what: str, passed: str) -> int:
    """Run the soak tests of a file below `tests/flows` and print the result; return 1 if one failed."""
    root = Path(__file__).parent.parent
    print(f"{what}; {machine()}")
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-m", "soak", str(root / "tests" / "flows" / test)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    if done.returncode:
        print(done.stdout)
    print(f"  {passed if not done.returncode else 'FAILED'}; {time.perf_counter() - started:.0f} s")
    return int(done.returncode != 0)
