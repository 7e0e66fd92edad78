"""`python -m tests.fuzz.run`: search for inputs that break a parser, target by target, for a time in all.

With atheris (a coverage-guided fuzzer on libFuzzer) each target runs in a process of its own; an input that
crashes it, or takes longer than 10 seconds or 2 GiB, is kept as `.fuzz/<target>-...` and fails the run. Without it
hypothesis draws inputs from the corpus, changed at random, which finds less. New inputs that reached
new code are kept in `.fuzz/corpus/`, so that the next run goes on from there.
"""

import argparse
import hashlib
import importlib
import importlib.util
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

__all__ = ("CORPUS", "main")

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
FOUND = ROOT / ".fuzz"
_SECONDS_PER_INPUT = 10
_MEGABYTES = 2048
_LONGEST = 4096


def main() -> int:
    """Fuzz the targets that are named, or all; return 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="names of targets (all)")
    parser.add_argument("--seconds", type=float, default=1800, help="for all targets together (1800)")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        return _fuzz_here(given.targets[0], given.seconds)
    has_atheris = importlib.util.find_spec("atheris") is not None
    if not has_atheris:
        sys.stdout.write("atheris is not installed: hypothesis searches alone, without looking at coverage\n")
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    names = given.targets or list(TARGETS)
    failed = [name for name in names if not _fuzz_apart(name, given.seconds / len(names))]
    sys.stdout.write(f"{len(names)} targets, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}\n")
    if failed:
        sys.stdout.write(f"the inputs are in {FOUND}; add each to {CORPUS}/<target>/ together with the fix\n")
    return 1 if failed else 0


def _fuzz_apart(name: str, seconds: float) -> bool:
    """Fuzz one target in a process of its own, and tell whether it held."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", "--inner", name, "--seconds", str(max(1, round(seconds)))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    is_sound = done.returncode == 0
    runs = next((line.strip() for line in done.stderr.splitlines() if line.startswith("Done ")), "")
    sys.stdout.write(f"{name:<14} {'held' if is_sound else 'FAILED'}  {time.monotonic() - began:5.0f} s  {runs}\n")
    if not is_sound:
        told = [
            line for line in (done.stderr + done.stdout).splitlines() if not line.startswith(("INFO", "#", "WARNING"))
        ]
        sys.stdout.write("\n".join(f"    {line}" for line in told[-40:]) + "\n")
    sys.stdout.flush()
    return is_sound


def _fuzz_here(name: str, seconds: float) -> int:
    FOUND.mkdir(exist_ok=True)
    if importlib.util.find_spec("atheris") is None:
        return _by_hypothesis(name, seconds)
    # No development dependency: `make fuzz` installs it beside.
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["bulkgladly"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    grown = FOUND / "corpus" / name
    grown.mkdir(parents=True, exist_ok=True)
    seeds = CORPUS / name
    limits = (
        f"-max_total_time={round(seconds)}",
        f"-timeout={_SECONDS_PER_INPUT}",
        f"-rss_limit_mb={_MEGABYTES}",
        f"-max_len={_LONGEST}",
        f"-artifact_prefix={FOUND}/{name}-",
        "-print_final_stats=0",
    )
    atheris.Setup(
        [sys.argv[0], *limits, str(grown), *([str(seeds)] if seeds.is_dir() else [])], _kept(name, TARGETS[name])
    )
    atheris.Fuzz()
    return 0


def _kept(name: str, target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Keep the input that a target fails on, and end at once: an interpreter that ends slowly looks like a hang."""

    def attempt(data: bytes) -> None:
        try:
            target(data)
        except BaseException:  # noqa: BLE001  # whatever it is, it was found
            (FOUND / f"{name}-failed-{hashlib.blake2b(data, digest_size=8).hexdigest()}").write_bytes(data)
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(1)

    return attempt


def _by_hypothesis(name: str, seconds: float) -> int:
    from tests.fuzz.searching import search  # noqa: PLC0415

    ends, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        try:
            search(name, examples=200, seed=number)
        except Exception:  # noqa: BLE001  # whatever it is, it was found
            traceback.print_exc()
            return 1
        number += 1
    sys.stderr.write(f"Done {number * 200} runs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
