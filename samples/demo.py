"""`make demo`: an import at Gladly's real pace, killed and resumed, a dump of the result, and a look at what happens.

Everything stays on this machine: the emulator listens on a loopback port, and the runs write to
`.demo/`. It takes a minute and a half.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(os.path.relpath(Path(__file__).parent))
DEMO = HERE.parent / ".demo"
PROGRAM = [sys.executable, "-m", "bulkgladly"]
SECONDS_BEFORE_THE_KILL = 10
SECONDS_OF_FOLLOWING = 10
COUNT = "awk '/CONTACT\\/STARTED/ {n++} END {print n+0, \"contacts started\"}'"
"""A command to which events are passed on: any program that reads lines."""
QUICK = 100  # a second: an import ignores a limit above ten times the documented one, as a mistake


def say(text: str) -> None:
    """Print a headline."""
    print(f"\n== {text}", flush=True)


def show(command: list[str]) -> None:
    """Print a command as a user would type it."""
    print("$ bulkgladly " + shlex.join(command), flush=True)


def run(environment: dict[str, str], *command: str) -> int:
    """Run a command, show its output, and return its exit code."""
    show(list(command))
    return subprocess.run([*PROGRAM, *command], env=environment, check=False).returncode


def ask(url: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
    """Send a request to the control endpoints of the emulator, which Gladly does not have."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/_emulator/{path}", data=data)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - loopback
        found: dict[str, object] = json.loads(reply.read())
    return found


def start_emulator() -> tuple[subprocess.Popen[str], str]:
    """Start the emulator at 10 requests a second and return it with its address."""
    command = [*PROGRAM, "emulator", "--port", "0", "--rate", "10"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return process, found[0]
    raise SystemExit("the emulator did not start")


def import_and_kill(environment: dict[str, str], *command: str) -> None:
    """Start an import and kill it after some seconds."""
    show(list(command))
    process = subprocess.Popen([*PROGRAM, *command], env=environment)
    time.sleep(SECONDS_BEFORE_THE_KILL)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    print(f"   ... killed with kill -9 after {SECONDS_BEFORE_THE_KILL} s", flush=True)


def main() -> int:
    """Run the demo; return 0 if every customer exists exactly once."""
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir(mode=0o700)
    emulator, url = start_emulator()
    environment = {
        **os.environ,
        "GLADLY_HOST": url,
        "GLADLY_USERNAME": "agent@example.org",
        "GLADLY_API_TOKEN": "emulator-token",
        "BULKGLADLY_STATE_DIR": str(DEMO),
    }
    customers = str(HERE / "customers.csv")
    try:
        say("A stand-in for Gladly runs on this machine. It allows 10 requests a second, as Gladly does.")
        run(environment, "doctor")
        say("Ten customers exist already. Four of them have an email address that is also in our file.")
        run(environment, "import", "customers", str(HERE / "already_there.ndjson"), "--namespace", "before")
        say("What would the import do? This sends nothing.")
        run(environment, "import", "customers", customers, "--key", "crm_id", "--dry-run")
        say("The import, at 10 requests a second.")
        import_and_kill(environment, "import", "customers", customers, "--key", "crm_id")
        run(environment, "runs", "list")
        say(f"The stand-in now allows {QUICK} requests a second, to save you time. The run continues where it stopped.")
        ask(url, "rate", {"rate": QUICK})
        run(environment, "resume")
        say("The same import again: rows that Gladly has accepted are not sent a second time.")
        run(environment, "import", "customers", customers, "--key", "crm_id")
        created = check_customers(url)
        say("A night passes, and Gladly creates an export job. `dump` writes its files to a data set.")
        ask(url, "jobs", {"items": 600})
        lake = str(DEMO / "lake")
        run(environment, "dump", lake)
        say("The next dump fetches only what is new.")
        run(environment, "dump", lake)
        follow_for_a_moment(environment, url, lake)
        run(environment, "dataset", "show", lake)
        return verdict(created, DEMO / "lake")
    finally:
        emulator.terminate()
        emulator.wait()


def follow_for_a_moment(environment: dict[str, str], url: str, lake: str) -> None:
    """Let a contact centre open, and follow what happens in it."""
    say("A contact centre opens: people write and call. `follow` receives what happens, without a public address.")
    ask(url, "live", {"per_minute": 90})
    often = ("--every", "2s", "--settle", "1s", "--max-duration", f"{SECONDS_OF_FOLLOWING}s")
    run(environment, "follow", "--out", lake, "--entities", "CONTACT", "--to", f"exec:{COUNT}", *often)
    say("Who is available, and who waits?")
    run(environment, "live", "--once")


def check_customers(url: str) -> int:
    """Check that the stand-in holds what the reports say; return how many customers were created."""
    reports = [json.loads(path.read_bytes()) for path in sorted(DEMO.glob("runs/*/report.json"))]
    created = sum(int(report["counts"]["created"]) for report in reports)
    held = ask(url, "status")["counts"]
    customers = held["customers"] if isinstance(held, dict) else held
    if customers != created:
        raise SystemExit(f"the stand-in holds {customers} customers, but the reports say {created}")
    say(f"The stand-in holds {customers} customers, and the reports say that {created} were created: each exists once.")
    return created


def verdict(created: int, lake: Path) -> int:
    """Compare the data set with what was imported."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to load, and needed only at the end

    names = pq.read_table(lake / "customers", columns=["id"]).column("id").to_pylist()
    say(f"The data set in {lake} has {len(set(names))} of the {created} customers. DuckDB opens it as one table:")
    print(f"duckdb -c \"SELECT contentType, count(*) FROM '{lake}/items/**/*.parquet' GROUP BY ALL\"")  # noqa: S608 - shown, not run
    say("For your own organisation:")
    print("bulkgladly init")
    print("bulkgladly map init FILE --to customers -o customers.toml")
    print("bulkgladly check customers FILE --map customers.toml")
    print("bulkgladly dump DIR")
    return 0 if len(names) == len(set(names)) == created else 1


if __name__ == "__main__":
    sys.exit(main())
