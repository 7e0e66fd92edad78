"""How much memory a large file needs: a dry run and an import of the same NDJSON file.

    python -m benchmarks.memory [--gigabytes 2] [--import-seconds 90] [--check]

The file has records of about 1 KB. The dry run reads all of it. The import runs without a limit
against an emulator until --max-duration, because the emulator keeps all customers in memory. Its
resident size is sampled; the peaks of the first and the last quarter of the samples show whether
it grows. Bar: 250 MB at any time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.setting import emulator, environment_for, machine, write_customers

BAR_MB = 250
RECORD_BYTES = 1000


def resident_mb(process: int) -> float:
    """Return the resident memory of a process in MB, or 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(lines[0].split()[1]) * 1024 / 1e6 if lines else 0.0


def watch(command: list[str], environment: dict[str, str]) -> tuple[list[float], float]:
    """Run a command; return its resident sizes, five a second, and its duration in seconds."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    sizes = []
    while process.poll() is None:
        sizes.append(resident_mb(process.pid))
        time.sleep(0.2)
    assert process.stderr is not None
    said = process.stderr.read()
    if process.returncode not in (0, 10):
        raise SystemExit(f"{command} failed with exit code {process.returncode}:\n{said}")
    return sizes, time.perf_counter() - started


def print_peak(what: str, sizes: list[float], seconds: float) -> float:
    """Print one line, and return the peak."""
    quarter = max(1, len(sizes) // 4)
    first, last, peak = max(sizes[:quarter]), max(sizes[-quarter:]), max(sizes)
    print(f"  {what:<8} peak {peak:5.0f} MB, first quarter {first:5.0f}, last quarter {last:5.0f}, {seconds:.0f} s")
    return peak


def main() -> int:
    """Print the memory of both; with --check return 1 if it is above the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--import-seconds", type=int, default=90)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    program = [sys.executable, "-m", "bulkgladly", "import", "customers"]
    with tempfile.TemporaryDirectory() as folder, emulator("--rate", "0") as url:
        file = Path(folder) / "customers.ndjson"
        write_customers(file, int(given.gigabytes * 1e9 / RECORD_BYTES), filler=RECORD_BYTES - 275)
        print(f"memory for {file.stat().st_size / 1e9:.2f} GB of NDJSON; {machine()}; bar {BAR_MB} MB")
        environment = environment_for(url) | {"BULKGLADLY_STATE_DIR": f"{folder}/state", "BULKGLADLY_PROGRESS": "none"}
        peaks = [print_peak("dry run", *watch([*program, str(file), "--dry-run"], environment))]
        limits = ["--rate", "unlimited", "--reserve", "0", "--max-duration", str(given.import_seconds)]
        peaks.append(print_peak("import", *watch([*program, str(file), *limits], environment)))
    return int(given.check and max(peaks) > BAR_MB)


if __name__ == "__main__":
    sys.exit(main())
