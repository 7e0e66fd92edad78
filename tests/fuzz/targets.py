"""What is fuzzed: every parser of bytes that others made. Each target is a plain function of bytes.

A target fails by raising: anything but the errors that the parser documents, a round trip that loses something,
or an answer that depends on how the bytes were cut. The first byte of an input often chooses among options,
so that one input is one case. `tests/fuzz/corpus/<name>/` has seeds, and every input that ever failed.
"""

import asyncio
import atexit
import contextlib
import contextvars
import datetime as dt
import gzip
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import orjson
import typer

from bulkgladly.api.address import delay_s
from bulkgladly.api.bodies import unpacker_for
from bulkgladly.cli.app import COMMANDS, app
from bulkgladly.cli.configuration import CallContext, use_settings_file
from bulkgladly.errors import DiskFull, InputError, JournalDamaged, ReplyLost, UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.metric_sets import column_names
from bulkgladly.gladly.objects.export_jobs import FIND_JOBS, file_request, jobs_of, next_loss
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.databases import open_journal, open_reader, open_state
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.runs import all_folders, list_runs
from bulkgladly.journal.steering_files import obeyed_in, orders_in
from bulkgladly.json_slices import Unreadable, elements_of, spliced
from bulkgladly.judging import Judgement, judge
from bulkgladly.lake.conversion import ConvertOptions, convert
from bulkgladly.lake.folder import host_in
from bulkgladly.lake.line_bundles import cut
from bulkgladly.lake.manifest import manifest_from, manifest_json
from bulkgladly.lake.places import MARKER
from bulkgladly.lake.publishing import read_decision
from bulkgladly.lake.report_csv import BodyCutOff, CsvRow, NotAReport, beginning, records_in
from bulkgladly.lake.report_table import ReportLayout
from bulkgladly.lake.rows import Reject
from bulkgladly.lake.schemas import DATA_SETS, DataSet
from bulkgladly.mapping.definitions import Given
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.mapping import load_mapping, parse_mapping, read_mapping
from bulkgladly.mapping.row_values import MISSING
from bulkgladly.messages import GET_ORGANIZATION, Meaning
from bulkgladly.projects.project_file import load_project
from bulkgladly.projects.step_settings import options_from
from bulkgladly.rate_schedule import RateSchedule
from bulkgladly.records import Mark, Position, Row
from bulkgladly.runs.finish_by import finish_time_of
from bulkgladly.runs.options import restored
from bulkgladly.settings import Credentials, load_toml
from bulkgladly.webhooks.delivery_bodies import ReceivedBody, arrival_in, is_ping
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.workflows.event_rule import rule_sentence
from bulkgladly.workflows.rule_file import load_rules, parse_rules
from bulkgladly.workflows.rule_matching import rule_event
from bulkgladly.workflows.rule_trial import read_events, try_rules

__all__ = ("TARGETS",)

_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)


def _file(name: str, content: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(content)
    return path


def _choice(data: bytes) -> tuple[int, bytes]:
    return (data[0], data[1:]) if data else (0, b"")


def _pieces(data: bytes, size: int) -> Iterable[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


# Input files.

_CSV = (
    ReadOptions(),
    ReadOptions(delimiter=";"),
    ReadOptions(delimiter="\t", quotechar=None),
    ReadOptions(encoding="cp1252", quotechar="'"),
    ReadOptions(encoding="utf-16"),
    ReadOptions(encoding="shift_jis"),
    ReadOptions(max_record_bytes=16),
)


def fuzz_csv(data: bytes) -> None:
    """CSV in several dialects and encodings, packed or not."""
    number, body = _choice(data)
    _read_rows(body, ".csv", _CSV[number % len(_CSV)], packing=number // 64)


def fuzz_ndjson(data: bytes) -> None:
    """NDJSON in several encodings, packed or not."""
    number, body = _choice(data)
    options = (ReadOptions(), ReadOptions(encoding="utf-16"), ReadOptions(max_record_bytes=16))[number % 3]
    _read_rows(body, ".ndjson", options, packing=number // 64)


def fuzz_parquet(data: bytes) -> None:
    """A Parquet file, or something of that name."""
    _read_rows(data, ".parquet", ReadOptions())


def fuzz_arrow(data: bytes) -> None:
    """An Arrow file or stream, or something of that name."""
    _read_rows(data, ".arrow", ReadOptions())


def fuzz_sheets(data: bytes) -> None:
    """An Excel file, or one of the parts of its archive."""
    number, body = _choice(data)
    parts = ("", "xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml")
    _read_rows(_workbook_with(parts[number % len(parts)], body), ".xlsx", ReadOptions())


def _workbook_with(part: str, body: bytes) -> bytes:
    """Return a workbook in which a part is replaced; without one, the body itself."""
    if not part:
        return body
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in (("k", "name"), (1, "Ada"), (2, "Ben")):
        book.worksheets[0].append(row)
    book.save(file)
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()} | {part: body}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return made.getvalue()


def _read_rows(body: bytes, suffix: str, options: ReadOptions, *, packing: int = 0) -> None:
    """Read a file to its end, and once more from its middle; every row is there, or says why not."""
    if packing == 1:
        body, suffix = gzip.compress(body, 1, mtime=0), f"{suffix}.gz"
    elif packing:
        suffix += (".gz", ".zst")[packing % 2]
    path = _file(f"input{suffix}", body)
    try:
        inputs = Inputs.open([str(path)], options)
        for reader in inputs.readers:
            reader.columns()
        inputs.estimate_rows()
        sample = inputs.sample(3)
        rows = [row for batch in inputs.batches(size=4) for row in batch]
    except InputError:
        return
    finally:
        path.unlink()
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert [_plain(row) for row in sample] == [_plain(row) for row in rows[:3]]
    for row in rows:
        assert (row.fields is None) == (row.problem is not None)
    places = [(row.position.offset, row.position.number) for row in rows]
    assert places == sorted(places)
    if rows:
        middle = rows[len(rows) // 2]
        path.write_bytes(body)
        try:
            again = [row for batch in inputs.batches(Mark(middle.seq, middle.position), size=3) for row in batch]
        finally:
            path.unlink()
        assert [_plain(row) for row in again] == [_plain(row) for row in rows[middle.seq :]]


def _plain(row: Row) -> str:
    return repr((row.seq, row.position, row.fields, row.problem, row.raw))


# Answers.


def fuzz_problems(data: bytes) -> None:
    """The errors in the body of any answer, and what they say of any request."""
    statuses = (200, 201, 301, 303, 400, 404, 409)
    for status, request in product(statuses, (GET_ORGANIZATION, FIND_JOBS)):
        assert isinstance(judge(request, status, {}, data), Judgement)
    for problem in judge(FIND_JOBS, 400, {}, data).problems:
        assert all(text is None or isinstance(text, str) for text in (problem.code, problem.attr, problem.detail))
        assert isinstance(problem.meta, Mapping)


def fuzz_jobs(data: bytes) -> None:
    """A list of export jobs, and what is asked for on its word."""
    found = judge(FIND_JOBS, 200, {}, data)
    if found.meaning is not Meaning.CONFIRMED:
        return
    jobs, odd = jobs_of(found.content)
    assert len({job.id for job in jobs}) == len(jobs) <= len(found.content) - odd
    next_loss(jobs)
    for job in jobs:
        for since, until in pairwise((None, *(job.period or ()), None)):
            job.is_within(since, until)
        for name in job.files:
            path = file_request(job, name).path
            assert path.count("/") == "/api/v1/export/jobs/1/files/1".count("/")
            assert not {".", "..", ""} & set(path.split("/")[1:])
            assert path.isascii()


def fuzz_elements(data: bytes) -> None:
    """The elements of a list, or one object, as lines."""
    number, body = _choice(data)
    is_list = bool(number % 2)
    try:
        lines = elements_of(body, is_list=is_list)
    except Unreadable:
        return
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    with contextlib.suppress(ValueError, RecursionError):
        whole = json.loads(body.decode("utf-8-sig"), parse_int=str, parse_float=str)
        parts = [json.loads(line, parse_int=str, parse_float=str) for line in lines]
        assert parts == (whole if is_list else [whole])
    for line in lines:
        spliced(line, {"_customerId": "c-1"})


def fuzz_unpacking(data: bytes) -> None:
    """A packed body, fed in pieces."""
    number, body = _choice(data)
    coding = ("gzip", "deflate", "identity")[number % 3]
    size = number // 3 + 1
    try:
        unpacker = unpacker_for(coding)
        if unpacker is None:
            return
        found = []
        for piece in _pieces(body, size):
            unpacker.feed(piece)
            while block := unpacker.take():
                assert len(block) <= 256 * 1024
                found.append(block)
                if sum(map(len, found)) > 1 << 22:
                    return
        unpacker.finish()
    except ReplyLost:
        return
    if coding == "gzip" and body:
        assert b"".join(found) == gzip.decompress(body)
    with contextlib.suppress(zlib.error):
        if coding == "deflate" and body:
            assert b"".join(found) == zlib.decompress(body)


def fuzz_retry_after(data: bytes) -> None:
    """The seconds of a Retry-After header, which steer the pace."""
    wait_s = delay_s(data.decode("latin-1"))
    assert wait_s is None or 0 <= wait_s < float("inf")


def fuzz_steering(data: bytes) -> None:
    """An order in a run's folder, which anything may have written there."""
    folder = _FOLDER / "steering"
    folder.mkdir(exist_ok=True)
    for name in ("steering.json", "steering-seen.json"):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    obeyed_in(folder)
    with contextlib.suppress(ValueError):
        orders = orders_in(folder)
        assert orders is not None
        assert orders.rate is None or 0 < orders.rate < float("inf")


def fuzz_rate_schedule(data: bytes) -> None:
    """Rates by the time of the week, and the time by which a run must be done."""
    text, begin = data.decode("utf-8", "replace"), dt.datetime(2026, 3, 28, 20, tzinfo=dt.UTC)
    with contextlib.suppress(UsageError):
        assert finish_time_of("--finish-by", text, begin) > begin
    with contextlib.suppress(UsageError):
        schedule = RateSchedule.of(text, ZoneInfo("Europe/Berlin"))
        first = next(schedule.spans(begin))
        assert first.end > begin
        assert first.rate == schedule.at(begin)
        assert schedule.seconds_for(10, begin, 9.0) > 0


# Lines of exports and events.

_SMALL = ConvertOptions(parsers=1, batch_bytes=64, bundle_bytes=64, max_line_bytes=4096)


def fuzz_lines(data: bytes) -> None:
    """Lines are the same, however the bytes were cut."""
    number, body = _choice(data)
    whole = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    wanted = [line.removesuffix(b"\r") for line in (whole if whole[-1] else whole[:-1])]
    for size in (len(body) or 1, number % 7 + 1):
        found: list[bytes] = []
        for batch in cut(_pieces(body, size), batch_bytes=number + 1, max_line_bytes=1 << 20):
            assert batch.first == len(found) + 1
            found += [bytes(line)[:-1] for line in batch.lines.to_pylist()]
        assert found == wanted


def fuzz_export_lines(data: bytes) -> None:
    """Lines of an export file: each is a row, a reject or blank, and both ways of reading agree."""
    number, body = _choice(data)
    names = ("items", "customers", "agents", "topics", "profiles", "tasks")
    _convert_both_ways(body, DATA_SETS[names[number % len(names)]])


def fuzz_events(data: bytes) -> None:
    """Lines of events."""
    _convert_both_ways(data, DATA_SETS["events"])


def _convert_both_ways(body: bytes, data_set: DataSet) -> None:
    outcomes = []
    for is_fast in (True, False):
        rows: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        options = ConvertOptions(1, _SMALL.batch_bytes, _SMALL.bundle_bytes, _SMALL.max_line_bytes, is_fast)
        report = convert(
            _pieces(body, 37),
            data_set,
            write=lambda found, rows=rows: rows.extend(found.batch.to_pylist()),  # type: ignore[misc]
            reject=rejects.append,
            options=options,
        )
        assert report.is_balanced
        assert (len(rows), len(rejects)) == (report.rows, report.rejected)
        told = {row["_line"]: {name: value for name, value in row.items() if value is not None} for row in rows}
        assert len(told) == len(rows)
        outcomes.append((repr(sorted(told.items())), sorted((each.line, each.code) for each in rejects)))
    assert outcomes[0] == outcomes[1]


# Reports.


def fuzz_report_csv(data: bytes) -> None:
    """The body of a report: the same records however it was cut, and none of its bytes lost."""
    number, body = _choice(data)
    outcomes = []
    for size in (len(body) or 1, number + 1):
        found: list[CsvRow | Reject] = []
        try:
            found.extend(records_in(_pieces(body, size)))
            end = ""
        except (BodyCutOff, NotAReport) as exc:
            end = f"{type(exc).__name__}: {exc}"
        outcomes.append((found, end))
    assert outcomes[0] == outcomes[1]
    found, end = outcomes[0]
    lines = [record.line for record in found]
    assert lines == sorted(set(lines))
    header = next((record.cells for record in found if isinstance(record, CsvRow) and record.cells), [])
    names = column_names(header)
    assert len(set(names)) == len(names) == len(header)
    line = beginning(body.decode("latin-1"))
    assert "\x1b" not in line
    assert "\n" not in line


# Files of people, and our own read back.


def fuzz_mapping(data: bytes) -> None:
    """A mapping file, and the records that it makes of a row."""
    path = _file("mapping.toml", data)
    try:
        declared = load_mapping(path)
    except UsageError:
        return
    # Every lookup finds something for half of the keys, and no key leads in a circle.
    tables = dict.fromkeys([plan.name for plan in declared.lookups], lambda key: f"{key}+" if len(key) < 3 else MISSING)
    mapping = parse_mapping(read_mapping(path), str(path), Given(tables=tables, today=dt.date(2026, 1, 31)))
    assert isinstance(mapping.columns, tuple)
    mapper = Mapper(mapping)
    for fields in _ROWS:
        for made in mapper(Row(Position(0, 0, 1), dict(fields))):
            assert (made.fields is None) == (made.problem is not None)


_ROWS: tuple[Mapping[str, Any], ...] = (
    {},
    {"name": "Ada Ashby", "id": "7", "email": "ada@example.org; b@example.org", "when": "31.12.2025 10:00"},
    {"name": None, "id": 7, "comments": [{"id": 1, "text": "x" * 60}, {"id": 2}], "tags": ["a", "b"], "a": {"b": [1]}},
    {"name": ["a"], "id": 1.5, "comments": "none", "html": "<p>Hi<br>there</p>", "flag": True},
)


def fuzz_project(data: bytes) -> None:
    """A project file: its steps, and the options that they have together."""
    path = _file("migrate.toml", data)
    try:
        project = load_project(path)
        for step in project.steps:
            options_from(step.settings or {}, step.name)
    except UsageError:
        return
    assert len({step.name for step in project.steps}) == len(project.steps) > 0
    assert all(step.files for step in project.steps)


def fuzz_rules(data: bytes) -> None:
    """A rules file, and what its rules would do for events of each sort."""
    path = _file("rules.toml", data)
    try:
        rules = load_rules(path)
    except UsageError:
        return
    trial = asyncio.run(try_rules(rules, _EVENTS, customers={"c": {"id": "c", "name": None}}))
    assert {action.rule for action in trial.actions} <= {rule.name for rule in rules}
    assert all(rule_sentence(rule).startswith(rule.name) for rule in rules)


def fuzz_recorded_events(data: bytes) -> None:
    """A file of recorded events, tried with a rule that looks at all of them."""
    path = _file("events.ndjson", data)
    try:
        events = read_events(path)
    except InputError:
        return
    trial = asyncio.run(try_rules(_ANY, events))
    assert trial.events == trial.fired.get("any", 0) + trial.over.get("any", 0)


_ANY = parse_rules('[[rules]]\nname = "any"\nwhen = "event.id"\ndo = { to = "-" }\n', "rules.toml")
_EVENTS = [
    rule_event(
        {"id": f"e{number}", "type": name, "content": content}, f"e{number}", dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    )
    for number, (name, content) in enumerate(
        (name, content)
        for name in ("CONTACT/STARTED", "CONTACT/ENDED", "CONVERSATION/REOPENED", "TASK/CREATED", "NEW/TYPE")
        for content in (
            {},
            {"contactId": "k", "conversationId": "t", "customerId": "c", "channel": "CHAT"},
            {"contactId": 1, "conversationId": None, "customerId": ["c"], "x": {"y": "\ud7ff" * 3}},
        )
    )
]


def fuzz_settings(data: bytes) -> None:
    """A settings file, as every command reads it."""
    path = _file("bulkgladly.toml", data)
    context = typer.Context(_COMMAND, info_name="bulkgladly", obj=CallContext())
    with contextlib.suppress(UsageError):
        contextvars.copy_context().run(use_settings_file, context, path, COMMANDS)
        settings = load_toml(path)
        for profile in settings.get("profiles", {}).values():
            # Not the ways that run a program, or read a file or a key ring.
            harmless = {name: profile[name] for name in ("host", "username", "token_env") if name in profile}
            Credentials.from_environment({"TOKEN": "t"}, harmless)


_COMMAND: Any = typer.main.get_command(app)


def fuzz_run_header(data: bytes) -> None:
    """What a run wrote about itself, and its last report."""
    state = _FOLDER / "state"
    path = state / "runs" / "customers-upsert_20260101T000000Z_abcd"
    path.mkdir(parents=True, exist_ok=True)
    for name in ("run.json", "report.json"):
        (path / name).write_bytes(data)
    # Without a journal it is damaged whatever it says: named, and passed over.
    assert [run.path for run in all_folders(state)] == [path]
    assert not list(list_runs(state))
    run = RunFolder(path)
    assert run.fault() is not None
    run.report()
    with contextlib.suppress(JournalDamaged, UsageError):
        header = run.header()
        restored(ImportOptions, header.settings, state)


def fuzz_journal(data: bytes) -> None:
    """A journal or a memory that is something else."""
    for name, opened in (
        ("journal.sqlite", open_journal),
        ("state.sqlite", open_state),
        ("reader.sqlite", open_reader),
    ):
        path = _file(name, data)
        try:
            opened(path).close()
        except (JournalDamaged, DiskFull):
            continue
        finally:
            for left in _FOLDER.glob(f"{name}*"):
                left.unlink()


def fuzz_manifest(data: bytes) -> None:
    """What stands about a unit of a data set, a commit, a folder and a report."""
    with contextlib.suppress(InputError, UsageError):
        manifest = manifest_from(data, "a manifest")
        again = orjson.dumps(manifest_json(manifest), default=str)
        assert manifest_from(again, "a manifest") == manifest
    with contextlib.suppress(InputError, UsageError):
        read_decision(_file("unit.json.next", data))
    with contextlib.suppress(InputError, UsageError):
        _file(MARKER, data)
        host_in(_FOLDER)
    with contextlib.suppress(ValueError):
        note = orjson.loads(data)
        if isinstance(note, dict):
            ReportLayout.from_memo("report", note)


# Webhooks.

_ENCODINGS = ("", "gzip", "deflate", "br")
_MOST_BYTES = 4096


def fuzz_webhooks(data: bytes) -> None:
    """The body of a delivery, packed or not: an event, or bytes that are kept with a reason, never an error."""
    number, body = _choice(data)
    received = ReceivedBody(body, _ENCODINGS[number % len(_ENCODINGS)], is_cut=number >= 128)
    arrival = arrival_in(received, dt.datetime(2026, 11, 27, tzinfo=dt.UTC), _MOST_BYTES)

    assert arrival.body == body or (not received.is_cut and len(arrival.body) <= _MOST_BYTES)
    assert arrival.dedupe_id
    arrival.row()
    if not arrival.why:
        assert orjson.loads(arrival.body)["id"]
    is_ping(arrival)
    ListenSecrets("gladly", ["a"], [("X-Token", "b")]).accepts(lambda _: [body.decode("utf-8", "surrogateescape")])


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    name.removeprefix("fuzz_"): value for name, value in dict(globals()).items() if name.startswith("fuzz_")
}
"""All targets by name."""
