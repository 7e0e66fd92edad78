"""An organisation to export from, a data set, and exports whose every report is checked."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from bulkgladly import Credentials, Pace
from bulkgladly.emulator import Clock, Emulator
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import failure
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.exports.export_work import ExportWork
from bulkgladly.exports.run_export import EXPORT
from bulkgladly.exports.unit_kinds import ExportKind
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.runs.beginning import NewRun
from bulkgladly.runs.options import stored
from bulkgladly.runs.session import Session, Terms
from tests.flows.quickly import QUICK, dump, resume_export, start_export

TOKEN = "planted-token-7f3a9c"
ITEMS = "conversation_items.jsonl"
NOT_THERE = Fault("answer", executes=False, reply=failure(404, "not_exist", "there is no such thing"))
"""Gladly's own 404; that of anybody else is `status(404, body="html")`."""
NIGHT = dt.datetime(2026, 3, 20, 3, 11, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


class Wall:
    """The emulator's clock on the wall, which a test moves."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now.timestamp()


def note_line(number: int, **more: Any) -> dict[str, Any]:
    """An invented item, the same for the same number."""
    return {
        "id": f"item-{number:06}",
        "conversationId": f"conversation-{number % 7}",
        "customerId": f"customer-{number % 5}",
        "timestamp": f"2026-03-19T10:{number // 60 % 60:02}:{number % 60:02}.000Z",
        "initiator": {"id": "agent-1", "type": "AGENT"},
        "content": {"type": "CONVERSATION_NOTE", "body": f"note {number}"},
        **more,
    }


def as_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as a file of JSON lines."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


@dataclass
class Lake:
    """One organisation, and one data set that is filled from it."""

    emulator: Emulator
    wall: Wall
    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "lake"

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.emulator.url, self.emulator.options.username, TOKEN)

    def options(self, *words: str, **changes: Any) -> ExportOptions:
        """Options of one export, without a pace."""
        plain = ExportOptions(out=self.out, words=words, pace=Pace(unlimited=True), state_dir=self.folder / "state")
        return replace(plain, **changes)

    async def export(self, *words: str, new_run: bool = False, **changes: Any) -> ExportReport:
        """Export, and check the report."""
        report = await start_export(self.options(*words, **changes), self.credentials, new_run=new_run)
        self.check(report)
        return report

    async def export_kinds(self, *kinds: ExportKind) -> ExportReport:
        """Export what kinds of a test's own yield, and check the report."""
        options = self.options(*(kind.name for kind in kinds))
        host = self.credentials.host
        with (
            DataFolder.open(options.out, host=host, create=True).lock() as folder,
            NewRun(options.state_dir, "several", EXPORT) as new,
        ):
            await new.begin(host, stored(options))
            session = Session(new.folder, options, Terms(self.credentials, environment=QUICK))
            report = await session.drive(ExportWork(session, folder, kinds, options))
        self.check(report)
        return report

    async def dump(self, *words: str, **changes: Any) -> ExportReport:
        """Bring the data set up to date, and check the report."""
        report = await dump(self.options(*words, **changes), self.credentials)
        self.check(report)
        return report

    async def resume(self, run: Any, **more: Any) -> ExportReport:
        """Go on with a run, and check the report."""
        report = await resume_export(run, self.credentials, **more)
        self.check(report)
        return report

    def check(self, report: ExportReport) -> None:
        """What must hold for every report: the sum, its files, and no secret anywhere."""
        assert report.adds_up, report.counts
        told = orjson.loads((Path(report.folder) / "report.json").read_bytes())
        assert told == orjson.loads(orjson.dumps(report.as_dict()))
        assert report.requests_total == sum(report.requests.values())
        for top in (self.out, self.folder / "state"):
            assert not [path for path in top.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        for name, about in report.files.items():
            if name in DATA_SETS:
                assert about["rows"] == self.table(name).num_rows

    def table(self, name: str) -> pa.Table:
        """A data set as one table, opened as anybody would."""
        parts = [path for path in (self.out / name).rglob("*.parquet") if not path.name.startswith(".")]
        if not parts:
            return DATA_SETS[name].schema.empty_table()
        return pads.dataset(self.out / name, partitioning="hive").to_table()

    def ids(self, name: str = "items") -> list[str]:
        """The ids of a data set's rows, sorted."""
        return sorted(str(found) for found in self.table(name).column("id").to_pylist())

    def parts(self) -> dict[str, bytes]:
        """Every file of the data set but the lock, by its path."""
        return {
            str(path.relative_to(self.out)): path.read_bytes()
            for path in self.out.rglob("*")
            if path.is_file() and path.name != "lock"
        }

    def manifests(self, name: str = "items") -> dict[str, Any]:
        """The published units of a data set, by name."""
        return {manifest.unit: manifest for manifest in DataFolder.open(self.out).manifests(name)}

    def rejects(self, name: str = "items") -> list[dict[str, Any]]:
        """The lines that are no rows."""
        files = sorted((self.out / "_rejects" / name).glob("*"))
        return [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]

    def add_job(self, rows: Iterable[Mapping[str, Any]] | bytes, *, nights_ago: int = 0, **more: Any) -> str:
        """Add a night's job with these items."""
        content = rows if isinstance(rows, bytes) else as_lines(rows)
        files = more.pop("files", {ITEMS: content})
        return self.emulator.exports.add_job(files, updated_at=NIGHT - nights_ago * DAY, **more)

    def asked(self) -> dict[str, int]:
        """How many requests of each operation there were since `forget`, without the greeting."""
        found = dict(self.emulator.requests.by_operation)
        found.pop("getOrganization", None)
        return found

    def forget(self) -> None:
        """Begin to count requests anew."""
        self.emulator.requests.clear()


def a_lake(folder: Path, **options: Any) -> Lake:
    """An organisation at a quarter of an hour past its nightly export; not started."""
    wall = Wall(NIGHT + dt.timedelta(minutes=15))
    return Lake(Emulator(**{"rate": None, "token": TOKEN, "clock": Clock(wall=wall), **options}), wall, folder)


def part_rows(path: Path) -> int:
    """The rows of one part by its footer."""
    return int(pq.read_metadata(path).num_rows)
