"""`make migrate`: an invented Zendesk export becomes customers, activities and tasks, each once.

Everything stays on this machine: the emulator listens on a loopback port, and `.demo/zendesk/` holds
the export, the mappings and the runs. The export is that of `samples/zendesk/`, with its dates moved
so that it ends yesterday. It takes less than a minute. `python -m samples.migrate --help` lists the
flags.
"""

import argparse
import base64
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samples.demo import ask, say, show

SOURCE = Path(__file__).parent / "zendesk"
ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "bulkgladly"]
USER, TOKEN = "agent@example.org", "emulator-token"
ACTIVITIES_BEFORE_THE_KILL, FEW = 150, 15
SHOWN = 12

RUN = ("migrate", "run")
STEPS = " to Gladly|customers|comments|ratings|tasks"
REPORTED = f"continues after|requests in| x |{STEPS}"
GO_LIVE = 'go_live = "2026-11-20T17:00:00Z"'
"""The line of `migrate.toml` that depends on the day."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """The folder in which a user would work, and the organisation that the commands go to."""

    folder: Path
    url: str
    environment: Mapping[str, str]
    killed_after: int

    def run(self, *command: str, expected: int = 0, shown: str = "") -> None:
        """Run a command, and show it with the lines of its output that match `shown`.

        Raises:
            SystemExit: Its exit code is not the expected one.
        """
        show(list(command))
        done = subprocess.run(
            [*PROGRAM, *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            if re.search(shown, line) or done.returncode != expected:
                print(line)
        if done.returncode != expected:
            raise SystemExit(f"exit code {done.returncode} instead of {expected}")

    def kill_midway(self, *command: str) -> None:
        """Start the migration, and kill it once the emulator holds some activities."""
        show(list(command))
        process = subprocess.Popen([*PROGRAM, *command], cwd=self.folder, env=self.environment)
        while process.poll() is None and self.counts()["items"] < self.killed_after:
            time.sleep(0.02)  # at 100 requests a second it is one or two too late
        process.kill()
        if process.wait() >= 0:
            raise SystemExit("the migration ended before it could be killed; try a lower --rate")
        print(f"   ... killed with kill -9; the stand-in holds {self.counts()['items']} activities", flush=True)

    def counts(self) -> dict[str, int]:
        """Return how many objects of each kind the stand-in holds."""
        found: Any = ask(self.url, "status")["counts"]
        return dict(found)

    def get(self, path: str) -> Json:
        """Return what Gladly's API returns for a path."""
        token = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/api/v1/{path}", headers={"Authorization": f"Basic {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - loopback
            found: Json = json.loads(reply.read())
        return found

    def runs(self, resource: str) -> list[Path]:
        """Return the folders of the runs that imported something, the oldest first."""
        return sorted(self.folder.glob(f".bulkgladly/runs/{resource}-*"))

    def done(self, resource: str) -> dict[str, str]:
        """Return the id in Gladly for each source key, as the runs reported them.

        Raises:
            SystemExit: A run reported a key twice, or a key has two ids, or an id two keys.
        """
        ids: dict[str, str] = {}
        for run in self.runs(resource):
            rows = list(lines(run / "success.ndjson"))
            found = {row["key"]: row["gladly_id"] for row in rows}
            is_same = all(ids.get(key, identity) == identity for key, identity in found.items())
            ids |= found
            if not is_same or len(found) != len(rows) or len(set(ids.values())) != len(ids):
                raise SystemExit(f"some {resource} were reported twice")
        return ids


def lines(path: Path) -> Iterator[Json]:
    """Yield the objects of an NDJSON file."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def set_up(folder: Path, url: str, today: dt.date, *, is_small: bool) -> Desk:
    """Create the folder with the mappings and an export that ends yesterday; the go-live is today."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in (*SOURCE.glob("*.toml"), *SOURCE.glob("*.expected.ndjson")):
        shutil.copy(path, folder)
    set_go_live(folder, today)
    until = (today - dt.timedelta(days=1)).isoformat()
    make = [sys.executable, str(SOURCE / "make_export.py"), "--until", until, "--folder", str(folder)]
    subprocess.run([*make, "--small"] if is_small else make, check=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))}
    credentials = {"GLADLY_HOST": url, "GLADLY_USERNAME": USER, "GLADLY_API_TOKEN": TOKEN}
    return Desk(folder, url, {**own, **credentials}, FEW if is_small else ACTIVITIES_BEFORE_THE_KILL)


def set_go_live(folder: Path, day: dt.date) -> None:
    """Adapt the one line of the project that depends on the day, as the guide says."""
    project = folder / "migrate.toml"
    project.write_text(project.read_text().replace(GO_LIVE, f'go_live = "{day}T17:00:00Z"'))


def start_emulator(rate: int) -> tuple[subprocess.Popen[str], str]:
    """Start the emulator and return it with its address."""
    command = [*PROGRAM, "emulator", "--port", "0", "--rate", str(rate)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return process, found[0]
    raise SystemExit("the emulator did not start")


def migrate(desk: Desk) -> None:
    """Take the export through all steps of the guide, with a kill in the middle."""
    say("Test the mappings against the expected records beside them.")
    for name in ("customers", "activities", "ratings"):
        desk.run("map", "check", "--map", f"{name}.toml", "--expect", f"{name}.expected.ndjson", shown="expectations")
    say("What would Gladly refuse? This sends nothing, and finds a ticket whose user was deleted.")
    desk.run("migrate", "check", "--coverage", "coverage.md", expected=1, shown="refused|hecked|good|all steps|wrote")
    say("Rehearse all steps: customers, their comments and ratings, and tasks for unsolved tickets.")
    desk.run(*RUN, "--rehearse", expected=1, shown=STEPS)
    say("Run them in Gladly. Each comment becomes an activity of the customer who wrote the ticket.")
    desk.kill_midway(*RUN)
    say("The same command continues where it stopped.")
    desk.run("migrate", "status", shown=STEPS)
    desk.run(*RUN, expected=1, shown=REPORTED)
    say("All steps again: records that Gladly has accepted are not sent a second time.")
    before = desk.counts()
    desk.run(*RUN, "--new-run", expected=1, shown=REPORTED)
    if desk.counts() != before:
        raise SystemExit("the second round created something")


def expected_keys(desk: Desk) -> dict[str, set[str]]:
    """Return the source keys that must exist, read from the export without a mapping."""
    users, tickets = list(lines(desk.folder / "users.ndjson")), list(lines(desk.folder / "tickets.ndjson"))
    people = {user["id"] for user in users if user["role"] == "end-user" and user["active"]}
    kept = [one for one in tickets if one["requester_id"] in people and one["status"] != "deleted"]
    comments = {f"{one['id']}#{comment['id']}" for one in kept for comment in one["comments"]}
    ratings = {f"rating-{one['id']}" for one in kept if one["satisfaction_rating"]["score"] in ("good", "bad")}
    unsolved = {str(one["id"]) for one in kept if one["status"] not in ("solved", "closed")}
    return {"customers": set(map(str, people)), "activities": comments | ratings, "tasks": unsolved}


def prove(desk: Desk) -> None:
    """Compare the export, the runs' files and what the stand-in holds.

    Raises:
        SystemExit: They differ.
    """
    counts, expected = desk.counts(), expected_keys(desk)
    for resource, kind in (("customers", "customers"), ("activities", "items"), ("tasks", "tasks")):
        keys = desk.done(resource)
        records = {"#".join(key.split("#")[:2]) for key in keys}  # each further piece of a long body has one more #
        pieces = len(keys) - len(records)
        if records != expected[resource] or counts[kind] != len(keys):
            raise SystemExit(
                f"{resource}: {len(expected[resource])} expected, {len(keys)} reported, {counts[kind]} in the stand-in"
            )
        more = f", and {pieces} further piece{'s' if pieces > 1 else ''} of long bodies" if pieces else ""
        print(f"  {counts[kind]:>4} {resource}: {len(records)} of the export{more}, each once", flush=True)


def show_timeline(desk: Desk) -> None:
    """Print the timeline of a customer whose history includes a body in several pieces."""
    items = desk.done("activities")
    people = {str(ticket["id"]): ticket["requester_id"] for ticket in lines(desk.folder / "tickets.ndjson")}
    writers = {key: people[key.removeprefix("rating-").partition("#")[0]] for key in items}
    person = writers[next(key for key in items if key.count("#") > 1)]
    own = [identity for key, identity in items.items() if writers[key] == person]
    customer = desk.get(f"customer-profiles/{desk.done('customers')[str(person)]}")
    say(f"The timeline of {customer['name']}, as the API returns it:")
    found = [desk.get(f"conversation-items/{identity}") for identity in own]
    for item in sorted(found, key=lambda one: (str(one["timestamp"]), str(one["content"]["title"])))[:SHOWN]:
        content = item["content"]
        text = " ".join(re.sub(r"<[^>]+>", " ", content["body"]).split())
        where = "at its time" if "occurredAt" in content else "today: too old for its time"
        print(f"  {item['timestamp'][:10]} {content['activityType']:<6} {content['title']}  [{where}]")
        print(f"             {text[:90]}{'…' if len(text) > 90 else ''}", flush=True)


def main() -> int:
    """Run the migration; return 0 if everything exists exactly once."""
    parser = argparse.ArgumentParser(description="Migrate the sample export into a local emulator.")
    parser.add_argument("--rate", type=int, default=50, help="requests a second that the emulator allows")
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo" / "zendesk", help="replaced if it exists")
    parser.add_argument("--small", action="store_true", help="of an export with a tenth of the comments")
    given = parser.parse_args()
    emulator, url = start_emulator(given.rate)
    try:
        desk = set_up(given.folder, url, dt.datetime.now(dt.UTC).date(), is_small=given.small)
        say(f"A stand-in for Gladly allows {given.rate} requests a second; Gladly itself allows 10.")
        migrate(desk)
        say("The export, the reports and the stand-in agree:")
        prove(desk)
        show_timeline(desk)
        say("To do the same with your own export: docs/migrate-from-zendesk.md")
        return 0
    finally:
        emulator.terminate()
        emulator.communicate()


if __name__ == "__main__":
    sys.exit(main())
