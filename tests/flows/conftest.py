"""An emulator, a state directory, and imports whose every report is checked."""

import contextlib
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Credentials, ImportOptions, Limits, Pace, Report, RunFolder, list_runs
from bulkgladly.emulator import Emulator
from bulkgladly.journal.databases import reading
from bulkgladly.journal.results import RESULT_FILES
from bulkgladly.runs.environment import Bounds, Environment
from tests.flows.exporting import Lake, a_lake
from tests.flows.followed import Followed, Told
from tests.flows.quickly import QUICK, resume_import, retry_import, start_import

TOKEN = "planted-token-7f3a9c"
SUCCESS = ("created", "updated", "deleted", "unchanged")
NOT_DONE = ("rejected", "unknown", "skipped")
ONLY_COUNTED = ("mapping_skipped", "blank_row", "header_again")
Fields = Mapping[str, Any]


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of an NDJSON file."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def person(number: int, **more: Any) -> dict[str, Any]:
    """An invented customer, the same for the same number."""
    return {
        "crm": f"c-{number}",
        "name": f"Sample Person {number}",
        "email:1": f"person.{number}@example.org",
        **more,
    }


def people(count: int, **more: Any) -> list[dict[str, Any]]:
    """The first invented customers."""
    return [person(number, **more) for number in range(count)]


def check_report(report: Report, *, rows: int | None = None) -> None:
    """What must hold for every report: the sum, the files, the numbers of rows, and no secret."""
    folder = Path(report.folder)
    assert report.adds_up, report.counts
    assert rows is None or report.counts["read"] == rows
    success, rejected, unprocessed = (lines(folder / name) for name in RESULT_FILES)
    assert len(success) == sum(report.counts[word] for word in SUCCESS)
    assert len(rejected) == sum(report.counts[word] for word in NOT_DONE) - _only_counted(folder)
    assert len(unprocessed) == report.counts["unprocessed"]
    places = [(line["position"]["file"], line["position"]["offset"]) for line in success]
    places += [(about["file"], about["offset"]) for line in rejected if (about := line["_bulkgladly"]["position"])]
    assert len(set(places)) == len(places) or any(place[0].endswith(".parquet") for place in places)
    assert orjson.loads((folder / "report.json").read_bytes()) == orjson.loads(orjson.dumps(report.as_dict()))
    assert report.requests_total == sum(report.requests.values())
    assert not files_with(TOKEN, folder.parent.parent)


def _only_counted(folder: Path) -> int:
    """How many rows were skipped that are in no file: they are no records, or the user left them out."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute("SELECT code FROM records WHERE word = 'skipped'")
        return sum(code in ONLY_COUNTED for (code,) in rows)


def files_with(text: str, folder: Path) -> list[Path]:
    """The files below a folder that hold a text. Another run may be at work there, and remove what it wrote aside."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and text.encode() in path.read_bytes():
                found.append(path)
    return found


def _usual_options() -> ImportOptions:
    return ImportOptions()


@dataclass
class World:
    """One organisation, and one directory with all that is kept about it."""

    emulator: Emulator
    folder: Path
    options: ImportOptions = field(default_factory=_usual_options)
    environment: Environment = QUICK

    @property
    def state(self) -> Path:
        return self.options.state_dir

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.emulator.url, self.emulator.options.username, TOKEN)

    def ndjson(self, rows: Iterable[Fields], name: str = "customers.ndjson") -> Path:
        """Write rows as NDJSON."""
        path = self.folder / name
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return path

    def csv(self, rows: Sequence[Fields], name: str = "customers.csv") -> Path:
        """Write rows as CSV, with the columns of the first."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        path = self.folder / name
        path.write_text(text.getvalue(), encoding="utf-8")
        return path

    def choose(self, changes: Mapping[str, Any]) -> ImportOptions:
        """Options of one import; those of `Limits` may be given by their own names."""
        limits = {name: value for name, value in changes.items() if name in Limits.__dataclass_fields__}
        others = {name: value for name, value in changes.items() if name not in limits}
        return replace(self.options, limits=replace(self.options.limits, **limits), **others)

    async def run(
        self,
        *files: Path | str,
        resource: str = "customers",
        new_run: bool = False,
        stdin: Any = None,
        bounds: Bounds = QUICK.bounds,
        **changes: Any,
    ) -> Report:
        """Import files, and check the report."""
        report = await start_import(
            resource,
            files,
            self.credentials,
            self.choose(changes),
            new_run=new_run,
            stdin=stdin,
            environment=replace(self.environment, bounds=bounds),
        )
        check_report(report)
        return report

    async def rows(self, rows: Iterable[Fields], **changes: Any) -> Report:
        """Import rows as a new run, and check the report."""
        rows = list(rows)
        report = await self.run(self.ndjson(rows), new_run=True, **changes)
        check_report(report, rows=len(rows))
        return report

    async def resume(
        self,
        run: RunFolder | None = None,
        *,
        state: Path | None = None,
        limits: Limits | None = None,
        pace: Pace | None = None,
        **more: Any,
    ) -> Report:
        """Go on with a run (the last), and check the report."""
        run = run or self.last_run(state)
        report = await resume_import(
            run,
            self.credentials,
            change=lambda stored: replace(stored, limits=limits or stored.limits, pace=pace or stored.pace),
            environment=self.environment,
            **more,
        )
        check_report(report)
        return report

    async def retry(self, run: RunFolder | None = None, *, sent_nothing: bool = False, **changes: Any) -> Report:
        """Import the rejects of a run (the last) again, and check the report."""
        report = await retry_import(
            run or self.last_run(),
            self.credentials,
            change=lambda stored: replace(stored, **changes),
            sent_nothing=sent_nothing,
            environment=self.environment,
        )
        check_report(report)
        return report

    def last_run(self, state: Path | None = None) -> RunFolder:
        """The newest run of a state directory."""
        return max(list_runs(state or self.state), key=lambda run: (run.path / "run.json").stat().st_mtime_ns)

    def result(self, report: Report, name: str) -> list[dict[str, Any]]:
        """The rows of one result file."""
        return lines(Path(report.folder) / f"{name}.ndjson")

    def asked(self) -> dict[str, int]:
        """How many requests of each operation there were since `forget`, without the greeting."""
        found = dict(self.emulator.requests.by_operation)
        found.pop("getOrganization", None)
        return found

    def forget(self) -> None:
        """Begin to count requests anew."""
        self.emulator.requests.clear()

    def names(self) -> dict[str, str]:
        """The customers' names by their first email address."""
        return {
            profile["emails"][0]["normalized"]: profile.get("name", "")
            for profile in self.emulator.store.customers.values()
        }


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An empty organisation without a limit; imports are keyed by `crm` and not paced."""
    emulator = Emulator(rate=None, token=TOKEN)
    await emulator.start()
    options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=tmp_path / "state")
    yield World(emulator, tmp_path, options)
    await emulator.stop()


@pytest.fixture
async def make_world(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """As `world`, with options for the emulator."""
    started: list[Emulator] = []

    async def make(**changes: Any) -> World:
        emulator = Emulator(**{"rate": None, "token": TOKEN, **changes})
        await emulator.start()
        started.append(emulator)
        options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=tmp_path / "state")
        return World(emulator, tmp_path, options)

    yield make
    for emulator in started:
        await emulator.stop()


@pytest.fixture
async def lake(tmp_path: Path) -> AsyncIterator[Lake]:
    """An organisation without a limit and without jobs, and an empty place for a data set."""
    lake = a_lake(tmp_path)
    async with lake.emulator:
        yield lake


@pytest.fixture
async def make_lake(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """As `lake`, with options for the emulator."""
    async with contextlib.AsyncExitStack() as started:

        async def make(**options: Any) -> Lake:
            lake = a_lake(tmp_path, **options)
            await started.enter_async_context(lake.emulator)
            return lake

        yield make


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    """An organisation without events, and a state directory without an inbox."""
    async with Emulator(token=TOKEN, rate=None) as emulator:
        yield Followed(emulator, tmp_path / "state", Told())
