"""Killed before any sync, rename, unlink, creation, commit, request or answer, a command can simply be said again."""

import json
import random
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from bulkgladly.emulator import Emulator
from bulkgladly.errors import JournalDamaged
from bulkgladly.journal.run_writes import RunWrites
from bulkgladly.lake.compact import compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify
from tests.dying import DEEDS, TURNS, End, Mortals
from tests.flows.exporting import DAY, NIGHT, a_lake, note_line
from tests.flows.serving import served
from tests.folders import in_memory
from tests.planted import PEOPLE, TOKEN, USER, traces

PACE = ("--rate", "unlimited", "--progress", "none", "--json")
TOLD = re.compile(r"continue it with `bulkgladly (resume [^`]+)`")
NOTES = 4
GOOD = 4


@dataclass
class Desk:
    """One place to work at, and an organisation of its own."""

    mortals: Mortals
    emulator: Emulator
    folder: Path
    said: list[str] = field(default_factory=list[str])
    inputs: list[Path] = field(default_factory=list[Path])

    def run(self, *arguments: str, at: int | None = None, of: str = DEEDS) -> End:
        (self.folder / "tmp").mkdir(exist_ok=True)
        end = self.mortals.run(
            *arguments,
            environment={
                "HOME": str(self.folder),
                "TMPDIR": str(self.folder / "tmp"),
                "GLADLY_HOST": self.emulator.url,
                "GLADLY_USERNAME": USER,
                "GLADLY_API_TOKEN": TOKEN,
            },
            folder=self.folder,
            at=at,
            of=of,
        )
        self.said += [end.output, end.errors]
        return end

    def as_told(self, *arguments: str) -> End:
        """Say a command, and then what it says should be said instead."""
        end = self.run(*arguments)
        for _ in range(2):
            told = TOLD.search(end.errors) if end.status == 2 else None
            if told is None:
                break
            end = self.run(*told[1].split(), *PACE)
        return end

    def write(self, name: str, rows: list[dict[str, Any]]) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        self.inputs.append(path)
        return path


class Flow:
    """A command, and what must be true after it was killed and said again."""

    command: tuple[str, ...]
    is_reading = False
    """Whether the organisation stays as it is, so that all desks can share one."""

    def organisation(self) -> Emulator:
        return Emulator(rate=None, token=TOKEN)

    def prepare(self, desk: Desk) -> None:
        """Lay out what the command needs."""

    def check(self, desk: Desk, end: End) -> None:
        """Look at what is there at the end."""


def person(number: int) -> dict[str, Any]:
    """The people who must not be found anywhere but in rows."""
    name, address, phone = PEOPLE
    return {"crm": f"k-{number}", "name": name, "email:1": f"{number}.{address}", "phone:1": f"+1{phone[:-1]}{number}"}


class Customers(Flow):
    """Four new customers, and a row that is refused."""

    command: tuple[str, ...] = ("import", "customers", "people.ndjson", "--key", "crm", *PACE)

    def prepare(self, desk: Desk) -> None:
        desk.write("people.ndjson", [*map(person, range(GOOD)), {**person(GOOD), "email:1": "nobody"}])
        desk.write("more.ndjson", [person(9)])

    def check(self, desk: Desk, end: End) -> None:
        assert end.status == 1, end
        counts = json.loads(end.output)["counts"]
        assert (counts["read"], counts["rejected"], counts["unprocessed"], counts["unknown"]) == (GOOD + 1, 1, 0, 0)
        assert (counts["created"], counts["unchanged"]) in ((GOOD, 0), (0, GOOD)), counts
        assert self.held(desk) == dict.fromkeys((f"{number}.{PEOPLE[1]}" for number in range(GOOD)), 1)
        later = desk.run("import", "customers", "more.ndjson", "--key", "crm", *PACE)
        assert later.status == 0, later
        assert len(self.held(desk)) == GOOD + 1

    def held(self, desk: Desk) -> Counter[str]:
        profiles = desk.emulator.store.customers.values()
        return Counter(entry["normalized"] for profile in profiles for entry in profile["emails"])


class Updated(Flow):
    """Customers who are there already, read before they are updated."""

    command: tuple[str, ...] = ("import", "customers", "people.ndjson", "--mode", "update", "--undoable", *PACE)

    def organisation(self) -> Emulator:
        emulator = super().organisation()
        for number in range(GOOD):
            emulator.add_customer(id=f"held-{number}", name=f"Before {number}")
        return emulator

    def prepare(self, desk: Desk) -> None:
        desk.write("people.ndjson", [{"id": f"held-{number}", "name": PEOPLE[0]} for number in range(GOOD)])

    def check(self, desk: Desk, end: End) -> None:
        """Whatever was read first is what was there before the first process, whichever run has kept it."""
        assert end.status == 0, end
        assert {profile["name"] for profile in desk.emulator.store.customers.values()} == {PEOPLE[0]}
        kept: dict[str | None, list[str]] = {}
        for folder in sorted((desk.folder / ".bulkgladly" / "runs").iterdir()):
            # One that was killed while it began has no journal, and has sent nothing.
            with suppress(JournalDamaged), RunWrites(folder) as writes:
                for change in writes.newest_first():
                    kept.setdefault(change.gladly_id, []).append(str((change.before or {}).get("name")))
        assert kept == {f"held-{number}": [f"Before {number}"] for number in range(GOOD)}


class Verification(Customers):
    """Four customers compared with a file: said again it is another run, and what was killed is resumed."""

    command = ("verify", "customers", "people.ndjson", "--key", "crm", *PACE)
    is_reading = True

    def organisation(self) -> Emulator:
        return Emulator(rate=None, token=TOKEN)

    def prepare(self, desk: Desk) -> None:
        super().prepare(desk)
        assert desk.run(*Customers.command).status == 1

    def check(self, desk: Desk, end: End) -> None:
        """Each row has one verdict in each of the two runs, and nothing was written to Gladly."""
        desk.inputs = [desk.folder / name for name in ("people.ndjson", "more.ndjson")]
        assert end.status == 0, end
        runs = [json.loads(end.output)]
        while (resumed := desk.run("resume", *PACE)).output:
            assert resumed.status == 0, resumed
            runs.append(json.loads(resumed.output))
        for report in runs:
            counts = report["counts"]
            assert (counts["read"], counts["equal"], counts["not_sent"]) == (GOOD + 1, GOOD, 1), counts
            assert report["files"]["verify.parquet"]["rows"] == GOOD + 1
        assert len(runs) <= 2, runs
        assert self.held(desk) == dict.fromkeys((f"{number}.{PEOPLE[1]}" for number in range(GOOD)), 1)


class Complete(Customers):
    """The first import of a complete file beside a data set; one customer is missing, and is deleted."""

    command = (
        *("import", "customers", "people.ndjson", "--key", "crm", "--baseline", "lake", *PACE),
        *("--complete", "--missing", "delete", "--missing-limit", "100", "--yes"),
    )

    def prepare(self, desk: Desk) -> None:
        rows = [*map(person, range(GOOD))]
        desk.write("before.ndjson", [*rows, person(GOOD)])
        assert desk.run("import", "customers", "before.ndjson", "--key", "crm", *PACE).status == 0
        with DataFolder.open(desk.folder / "lake", host=desk.emulator.url, create=True).lock() as folder:
            origin = Origin("unit", "profiles", {"_fetched_at": NIGHT})
            with UnitWriter(folder, DATA_SETS["profiles"], "unit", origin) as writer:
                writer.convert([lines(list(desk.emulator.store.customers.values()))])
                writer.commit()
        # What the state no longer has is in the data set; what is missing must be in the state.
        with closing(sqlite3.connect(desk.folder / ".bulkgladly" / "state.sqlite")) as state, state:
            state.execute("DELETE FROM known WHERE key != ?", (f"k-{GOOD}",))
        desk.write("people.ndjson", [{**rows[0], "name": "Another Name"}, *rows[1:]])

    def check(self, desk: Desk, end: End) -> None:
        """All rows as the file has them, and the missing customer gone; no index is left in a complete run."""
        assert end.status == 0, end
        report = json.loads(end.output)
        assert report["counts"]["updated"] + report["counts"]["unchanged"] == GOOD, report
        names = sorted(profile["name"] for profile in desk.emulator.store.customers.values())
        assert names == sorted(["Another Name", *[PEOPLE[0]] * (GOOD - 1)])
        assert not list(Path(desk.folder / report["folder"]).glob("*baseline*"))
        again = json.loads(desk.run(*self.command).output)
        assert (again["counts"]["unchanged"], again["missing"]) == (GOOD, 0), again


class Planned(Flow):
    """A live plan of two new customers, one that is changed, and one that is as it was."""

    command: tuple[str, ...] = (
        *("plan", "customers", "people.ndjson", "--key", "crm", "--out", "a.plan", "--live", "--force", *PACE),
    )

    def prepare(self, desk: Desk) -> None:
        rows = [*map(person, range(GOOD))]
        desk.write("before.ndjson", rows[:2])
        assert desk.run("import", "customers", "before.ndjson", "--key", "crm", *PACE).status == 0
        desk.write("people.ndjson", [{**rows[0], "name": "Another Name"}, *rows[1:]])

    def check(self, desk: Desk, end: End) -> None:
        """The plan is whole, nothing is left beside it, and its apply does what it says."""
        assert end.status == 0, end
        plan = orjson.loads((desk.folder / "a.plan" / "plan.json").read_bytes())
        assert plan["counts"]["actions"] == {"create": GOOD - 2, "update": 1, "none": 1}
        applied = desk.run("apply", "a.plan", *PACE)
        assert applied.status == 0, applied
        assert json.loads(applied.output)["requests"] == plan["requests"]["most"]


class Applied(Planned):
    """The apply of such a plan."""

    command = ("apply", "a.plan", *PACE)

    def prepare(self, desk: Desk) -> None:
        super().prepare(desk)
        assert desk.run(*Planned.command).status == 0

    def check(self, desk: Desk, end: End) -> None:
        """Each record is written once; none counts as moved because this run has written it before a kill."""
        if end.status == 2:
            assert "was applied already" in end.errors, end  # it was killed after its end
        else:
            assert end.status == 0, end
            counts = json.loads(end.output)["counts"]
            assert (counts["read"], counts["rejected"], counts["unprocessed"]) == (GOOD, 0, 0), counts
        held = [(profile["name"], len(profile["emails"])) for profile in desk.emulator.store.customers.values()]
        assert sorted(held) == sorted([("Another Name", 1), *[(PEOPLE[0], 1)] * (GOOD - 1)])


class Notes(Flow):
    """Notes, which Gladly cannot keep from being there twice."""

    command: tuple[str, ...] = ("import", "notes", "notes.ndjson", "--key", "crm", *PACE)

    def organisation(self) -> Emulator:
        emulator = super().organisation()
        emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
        emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
        return emulator

    def prepare(self, desk: Desk) -> None:
        rows = [{"crm": f"n-{n}", "conversationId": "talk", "body": f"{n} {PEOPLE[0]}"} for n in range(NOTES)]
        desk.write("notes.ndjson", rows)

    def check(self, desk: Desk, end: End) -> None:
        """Each is there once where it says so, and at most once where it says that it does not know."""
        for again in (False, True):
            end = desk.run(*self.command) if again else end
            report = json.loads(end.output)
            words = self.words(Path(desk.folder / report["folder"]))
            held = self.held(desk)
            assert len(words) == report["counts"]["read"] == NOTES, report
            assert end.status == int("unknown" in words.values()), end
            for key, word in words.items():
                assert word in ("created", "unchanged", "unknown"), words
                assert held[key] == 1 if word != "unknown" else held[key] <= 1, (words, held)

    def held(self, desk: Desk) -> Counter[str]:
        texts = [str(item["content"].get("body", "")) for item in desk.emulator.store.items.values()]
        return Counter(f"n-{text[0]}" for text in texts if text.endswith(PEOPLE[0]))

    def words(self, folder: Path) -> Mapping[str, str]:
        success, rejected = (
            [orjson.loads(line) for line in (folder / f"{name}.ndjson").read_bytes().splitlines()]
            for name in ("success", "rejected")
        )
        words = {row["key"]: row["action"] for row in success}
        return words | {row["crm"]: row["_bulkgladly"]["outcome"] for row in rejected}


class Project(Flow):
    """Customers, activities about them, and notes, which Gladly cannot keep from being there twice."""

    command: tuple[str, ...] = ("migrate", "run", *PACE)

    def organisation(self) -> Emulator:
        emulator = super().organisation()
        emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
        emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
        return emulator

    def prepare(self, desk: Desk) -> None:
        desk.write("people.ndjson", [*map(person, range(3)), {**person(GOOD), "email:1": "nobody"}])
        facts = {"title": "Order", "body": "One table", "activityType": "ISSUE"}
        desk.write("orders.ndjson", [{"crm": f"o-{n}", "customerKey": f"k-{n}", **facts} for n in (0, 1, GOOD)])
        desk.write("notes.ndjson", [{"crm": f"n-{n}", "conversationId": "talk", "body": f"{n}"} for n in range(2)])
        steps = (("customers", "people"), ("activities", "orders"), ("notes", "notes"))
        text = "".join(f'[[steps]]\nimport = "{name}"\nfiles = "{file}.ndjson"\n' for name, file in steps)
        (desk.folder / "migrate.toml").write_text(f'version = 1\n[defaults]\nkey = "crm"\n{text}')

    def check(self, desk: Desk, end: End) -> None:
        """Each step is done, in one run; what each run says of its records is what Gladly holds."""
        assert end.status == 1, end
        report = json.loads(end.output)
        assert [step["state"] for step in report["steps"]] == ["done"] * 3, report
        assert len(list((desk.folder / ".bulkgladly" / "runs").glob("*/run.json"))) == 3
        customers, orders, notes = (step["counts"] for step in report["steps"])
        assert (customers["created"], customers["rejected"]) == (3, 1)
        assert (orders["created"], orders["rejected"]) == (2, 1)
        assert notes["created"] + notes["unknown"] == 2
        store = desk.emulator.store
        assert (store.count("customers"), self.held(desk, "Order")) == (4, 2)
        assert notes["created"] <= self.held(desk, "") - 2 <= 2
        again = desk.run(*self.command)
        assert json.loads(again.output)["requests_total"] == report["requests_total"], again

    def held(self, desk: Desk, title: str) -> int:
        return sum(title in str(item["content"].get("title", "")) for item in desk.emulator.store.items.values())


class Undo(Flow):
    """A run that created and updated customers is taken back; one of them was changed by somebody since."""

    command: tuple[str, ...] = ("undo", "customers-upsert", "--yes", *PACE)
    import_again = ("import", "customers", "more.ndjson", "--key", "crm", "--read-first", "--new-run", *PACE)

    def prepare(self, desk: Desk) -> None:
        name, address, _ = PEOPLE
        desk.write("people.ndjson", [{**person(n), "customAttribute:tier": "1"} for n in range(GOOD)])
        changed = {"name": f"{name} {name}", "customAttribute:tier": "2", "customAttribute:new": "3"}
        more = [{**person(n), **changed, "email:2": f"more.{n}.{address}"} for n in range(GOOD + 2)]
        desk.write("more.ndjson", more)
        assert desk.run("import", "customers", "people.ndjson", "--key", "crm", "--mode", "create", *PACE).status == 0
        self.before = self.held(desk)
        assert desk.run(*self.import_again).status == 0
        [theirs] = [one for one, held in self.held(desk).items() if f"0.{address}" in str(held["emails"][0])]
        profile = desk.emulator.store.customers[theirs]
        desk.emulator.store.replace_customer({**profile, "address": "By a person", "name": f"{name} of theirs"})
        self.before[theirs] |= {"address": "By a person", "name": f"{name} of theirs"}

    def held(self, desk: Desk) -> dict[str, dict[str, Any]]:
        every = desk.emulator.store.customers.items()
        return {one: {key: value for key, value in held.items() if key != "updatedAt"} for one, held in every}

    def check(self, desk: Desk, end: End) -> None:
        """All is as before, to the byte, and each object was counted once; the next import sends everything again."""
        assert end.status in (0, 1), end
        assert self.held(desk) == self.before
        folders = (desk.folder / ".bulkgladly" / "runs").glob("customers-undo_*/report.json")
        # Killed at its very end, an undo is complete, and a second one tries again what it has left.
        report = max((orjson.loads(path.read_bytes()) for path in folders), key=lambda one: one["counts"]["read"])
        assert (report["status"], report["exit_code"]) == ("complete", 1), report
        assert (report["outcomes"], report["partly"]) == ({"restored": GOOD, "deleted": 2}, 1), report
        again = json.loads(desk.run(*self.import_again).output)["counts"]
        assert (again["created"], again["updated"]) == (2, GOOD), again


class Repair(Flow):
    """Known ids, of which one was merged."""

    command: tuple[str, ...] = ("crosswalk", "repair", "customers", *PACE)

    def prepare(self, desk: Desk) -> None:
        desk.write("people.ndjson", [person(number) for number in range(GOOD)])
        assert desk.run("import", "customers", "people.ndjson", "--key", "crm", *PACE).status == 0
        store = desk.emulator.store
        desk.emulator.add_customer(id="heir", name="Heir")
        store.merge(next(iter(store.customers)), "heir")

    def check(self, desk: Desk, end: End) -> None:
        assert end.status == 0, end
        counts = json.loads(end.output)["counts"]
        assert (counts["read"], counts["corrected"] + counts["found"]) == (GOOD, GOOD), counts
        exported = desk.run("crosswalk", "export", "customers")
        assert exported.output.count(",heir,") == 1, exported
        assert exported.output.count(",known") == GOOD, exported


class Intake(Flow):
    """Keys and ids of another tool: all of them, or none."""

    command: tuple[str, ...] = ("crosswalk", "import", "customers", "ids.ndjson")

    def prepare(self, desk: Desk) -> None:
        desk.write("ids.ndjson", [{"key": f"k-{number}", "gladly_id": f"id-{number}"} for number in range(GOOD)])

    def check(self, desk: Desk, end: End) -> None:
        assert end.status == 0, end
        exported = desk.run("crosswalk", "export", "customers")
        assert exported.output.count(",known") == GOOD, exported


class Export(Flow):
    """Two nights' files into a new data set."""

    command: tuple[str, ...] = ("export", "items", "customers", "--out", "lake", *PACE)
    is_reading = True

    def organisation(self) -> Emulator:
        lake = a_lake(Path())
        for night in (0, 1):
            items = [note_line(4 * night + row, content=self.content) for row in range(4)]
            customers = [{"id": f"customer-{night}", "name": PEOPLE[0]}]
            files = {"conversation_items.jsonl": lines(items), "customers.jsonl": lines(customers)}
            lake.add_job(b"", nights_ago=night, job_id=f"job-{night}", files=files)
        return lake.emulator

    content: Mapping[str, Any] = {"type": "CONVERSATION_NOTE", "body": PEOPLE[1]}

    def check(self, desk: Desk, end: End) -> None:
        assert end.status == 0, end
        self.look(desk)
        assert self.ids(desk, "items") == [f"item-{number:06}" for number in range(8)]
        assert self.ids(desk, "customers") == ["customer-0", "customer-1"]
        later = desk.run("dump", "lake", "--what", "items,customers", *PACE)
        assert later.status == 0, later
        assert "getFile" not in json.loads(later.output)["requests"]

    def look(self, desk: Desk) -> None:
        assert verify(DataFolder.open(desk.folder / "lake"), deep=True).findings == ()

    def ids(self, desk: Desk, name: str) -> list[str]:
        return sorted(str(found) for found in pq.read_table(desk.folder / "lake" / name).column("id").to_pylist())


class Dump(Export):
    """The same, as every night."""

    command: tuple[str, ...] = ("dump", "lake", "--what", "items,customers", *PACE)


class Compact(Export):
    """One row for each key, made of a whole data set."""

    command: tuple[str, ...] = ("dataset", "compact", "lake")

    def prepare(self, desk: Desk) -> None:
        assert desk.run(*Dump.command).status == 0

    def check(self, desk: Desk, end: End) -> None:
        super().check(desk, end)
        current = pq.read_table(desk.folder / "lake" / "current" / "items").column("id").to_pylist()
        assert sorted(map(str, current)) == [f"item-{number:06}" for number in range(8)]


class Building(Export):
    """A table and a folder of pages, made of a data set."""

    command: tuple[str, ...] = ("dataset", "build", "lake", "conversations", "-o", "all.ndjson", "--html", "pages")

    def prepare(self, desk: Desk) -> None:
        assert desk.run(*Dump.command).status == 0

    def check(self, desk: Desk, end: End) -> None:
        super().check(desk, end)
        rows = [orjson.loads(line) for line in (desk.folder / "all.ndjson").read_bytes().splitlines()]
        assert sum(len(row["messages"]) for row in rows) == 8
        pages = [path for path in (desk.folder / "pages").rglob("*") if path.is_file()]
        desk.inputs += [desk.folder / "all.ndjson", *pages]  # they hold rows, and so people
        assert len(pages) == len(rows) + 1
        assert {path.name for path in desk.folder.iterdir()} >= {"lake", "all.ndjson", "pages"}
        assert [path.name for path in desk.folder.iterdir() if re.match(r"\.(all|pages)", path.name)] == []


class Maintained(Compact):
    """A dump that removes a unit of long ago, and brings `current/` up to date."""

    command = (*Dump.command, "--compact", "--retention", "31d", "--yes")

    def prepare(self, desk: Desk) -> None:
        super().prepare(desk)
        with DataFolder.open(desk.folder / "lake").lock() as folder:
            midnight = NIGHT.replace(hour=0, minute=0)
            for unit, (first, end), rows in (
                ("old", (100, 99), [note_line(99, timestamp=(NIGHT - 100 * DAY).isoformat())]),
                ("since", (99, 2), []),
            ):
                with UnitWriter(folder, DATA_SETS["items"], unit, Origin(unit, "conversation_items.jsonl")) as writer:
                    writer.convert([lines(rows)])
                    writer.commit(covered=(midnight - first * DAY, midnight - end * DAY))
            compact(folder, "items")


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


FLOWS: Mapping[str, Callable[[], Flow]] = {
    "customers": Customers,
    "updated": Updated,
    "verification": Verification,
    "complete": Complete,
    "planned": Planned,
    "applied": Applied,
    "notes": Notes,
    "project": Project,
    "undo": Undo,
    "repair": Repair,
    "intake": Intake,
    "export": Export,
    "dump": Dump,
    "compact": Compact,
    "maintained": Maintained,
    "building": Building,
}


class Stage:
    """Where one flow is played, over and over, from the same beginning."""

    def __init__(self, flow: Flow, mortals: Mortals, folder: Path) -> None:
        self._flow, self._mortals, self._folder = flow, mortals, folder
        self._shared: Desk | None = None

    @contextmanager
    def open(self) -> Iterator["Stage"]:
        """Lay out once what never changes."""
        with ExitStack() as stack:
            if self._flow.is_reading:
                self._shared = stack.enter_context(self._laid_out(self._folder / "template"))
            yield self

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """Everything as it is before the command; nothing of it is left afterwards."""
        folder = self._folder / "desk"
        if self._shared is None:
            with self._laid_out(folder) as desk:
                yield desk
        else:
            shutil.copytree(self._shared.folder, folder)
            yield Desk(self._mortals, self._shared.emulator, folder)
        shutil.rmtree(folder)

    @contextmanager
    def _laid_out(self, folder: Path) -> Iterator[Desk]:
        folder.mkdir()
        with served(self._flow.organisation()) as emulator:
            desk = Desk(self._mortals, emulator, folder)
            self._flow.prepare(desk)
            yield desk

    def steps(self, *, of: str = DEEDS) -> int:
        """Run the command to its end, and count its steps."""
        with self.desk() as desk:
            end = desk.run(*self._flow.command, of=of)
            self._flow.check(desk, end)
            return end.steps

    def kills(self, numbers: Iterable[int], *, of: str = DEEDS) -> list[str]:
        """Kill the command before each of these steps, say it again, and return what is wrong then."""
        return [wrong for number in numbers if (wrong := self._killed(number, of)) is not None]

    def _killed(self, number: int, of: str) -> str | None:
        with self.desk() as desk:
            killed = desk.run(*self._flow.command, at=number, of=of)
            try:
                assert killed.is_killed or killed.steps < number, killed
                again = desk.as_told(*self._flow.command) if killed.is_killed else killed
                self._flow.check(desk, again)
                listed = desk.run("runs", "list")
                assert listed.status == 0, listed
                assert not traces([desk.folder], desk.said, inputs=desk.inputs)
            except (AssertionError, KeyError, ValueError, OSError) as exc:
                return f"{of} {number}, {killed.last}: {' '.join(str(exc).split())[:600]}"
        return None


def spread(total: int, most: int) -> list[int]:
    """So many of the steps, the first and the last among them, evenly."""
    assert total > most
    return sorted({1 + round(number * (total - 1) / (most - 1)) for number in range(most)})


def refuse(wrong: Sequence[str]) -> None:
    """Fail, and name every kill after which something was wrong."""
    assert not wrong, f"{len(wrong)} kills:\n" + "\n".join(wrong)


LONG = ("planned", "export", "compact", "building")
"""Flows that only `make soak` plays: the others make, dump and compact as well, and a build sends nothing."""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.soak) if name in LONG else name for name in FLOWS])
def stage(request: pytest.FixtureRequest, mortals: Mortals) -> Iterator[Stage]:
    """One flow after the other."""
    with in_memory() as folder, Stage(FLOWS[request.param](), mortals, folder).open() as stage:
        yield stage


@pytest.mark.timeout(120)
def test_said_again_after_a_kill_at_some_steps(stage: Stage) -> None:
    """A quarter, half and three quarters of the way: right words, nothing lost, nothing twice, nothing blocked."""
    _, *within, _ = spread(stage.steps(), 5)
    refuse(stage.kills(within))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_said_again_after_a_kill_at_every_step(stage: Stage) -> None:
    """All of them, one by one."""
    refuse(stage.kills(range(1, stage.steps() + 1)))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_said_again_after_a_kill_at_any_await(stage: Stage) -> None:
    """Sixty turns of the event loop, drawn by a seed."""
    turns = range(1, stage.steps(of=TURNS) + 1)
    drawn = random.Random(len(turns)).sample(turns, min(60, len(turns)))  # noqa: S311  # repeatable

    refuse(stage.kills(drawn, of=TURNS))
