"""The result files of an import, written from its journal: each of them whole or not at all."""

import base64
import enum
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.journal.databases import reading
from bulkgladly.records import DroppedValue, Position, Row, place_of_row
from bulkgladly.storage.durable import replacing
from bulkgladly.storage.failures import file_error

__all__ = (
    "RESULT_FILES",
    "RejectedRow",
    "ResultFile",
    "RetryRows",
    "UnknownRows",
    "count_by_word",
    "count_dropped",
    "count_rejects",
    "dropped_values",
    "first_rejects",
    "original_of",
    "publish_lines",
    "rejected_rows",
    "rejects",
    "rejects_by_code",
    "unsettled_keys",
    "write_results",
    "write_retry",
)

RESULT_FILES = ("success.ndjson", "rejected.ndjson", "unprocessed.ndjson")
_REJECTED_ROW = "file, place, number, word, stage, coalesce(code, ''), attr, coalesce(detail, ''), original"
_MOVED = "coalesce(code, '') = 'moved' AND coalesce(stage, '') = 'conflict'"
_MAY_HAVE_BEEN_SENT = "word = 'unknown' AND gladly_id IS NULL"


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file as it was written: its rows, its size in bytes and its BLAKE2b digest."""

    path: str
    rows: int
    size: int
    digest: str


class UnknownRows(enum.Enum):
    """What a retry does with rows that may have been sent, if a second request would create a duplicate."""

    TAKEN = enum.auto()
    """There is no risk of a duplicate: a look into Gladly finds out whether they were sent."""
    LEFT = enum.auto()
    ALONE = enum.auto()
    """A person has checked that they were not sent. Only they are taken."""


class RetryRows(NamedTuple):
    """How many rows a retry takes, how many it leaves, and how many rows of the run may have been sent.

    `moved` rows were no longer as a plan saw them, and are left out.
    """

    taken: int
    left: int
    unsettled: int
    moved: int = 0


class RejectedRow(NamedTuple):
    """A row that was rejected, or of which it is unknown whether it was sent; `original` is the row as JSON."""

    position: Position
    word: str
    stage: str | None
    code: str
    attr: str | None
    detail: str
    original: bytes


def original_of(row: Row) -> bytes:
    """Return a row as JSON, so that it can be imported again as it is.

    If a mapping made the row, this is the row as it was read; if that makes several records,
    `_bulkgladly.part` and `of` say which one is meant. A row that could not be read is kept
    as text under `_bulkgladly.raw`, or as base64 under `raw_base64` if it is not text.
    """
    fields = row.fields if row.source is None else row.source
    if fields is not None:
        if row.part is not None:
            fields = {**fields, "_bulkgladly": {"part": row.part.number, "of": row.part.of}}
        return orjson.dumps(fields)
    try:
        return orjson.dumps({"_bulkgladly": {"raw": row.raw.decode()}})
    except UnicodeDecodeError:
        return orjson.dumps({"_bulkgladly": {"raw_base64": base64.b64encode(row.raw).decode()}})


def write_results(folder: Path, names: Sequence[str], unprocessed: Iterable[Row]) -> list[ResultFile]:
    """Write the successful, rejected and unprocessed rows beside the journal.

    `names` are the input files by number. `unprocessed` are the rows that were not
    reached. A crash leaves the files of the previous time.

    Raises:
        DiskFull, JournalDamaged, JournalError: They cannot be written, or the journal cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        contents = (
            _successes(connection, names),
            rejects(connection, names),
            (original_of(row) for row in unprocessed),
        )
        return [publish_lines(folder / name, lines) for name, lines in zip(RESULT_FILES, contents, strict=True)]


def rejects(connection: sqlite3.Connection, names: Sequence[str]) -> Iterator[bytes]:
    """Yield the rows that did not end well: the original row with a `_bulkgladly` object that says why."""
    rows = connection.execute(
        "SELECT file, place, number, word, stage, status, code, attr, detail, gladly_id, original FROM records"
        " WHERE original IS NOT NULL ORDER BY seq"
    )
    for file, place, number, word, stage, status, code, attr, detail, gladly_id, original in rows:
        row = orjson.loads(original) if original else {}
        about = {
            "position": _position(names, Position(file, place, number)),
            "outcome": word,
            "stage": stage,
            "status": status,
            "code": code,
            "attr": attr,
            "detail": detail,
            "gladly_id": gladly_id,
        }
        raw = row.get("_bulkgladly")
        row["_bulkgladly"] = {**(raw if isinstance(raw, dict) else {}), **about}
        yield orjson.dumps(row)


def count_by_word(folder: Path) -> dict[str, int]:
    """Return how many records ended with which outcome, counted from the records themselves."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute("SELECT word, count(*) FROM records GROUP BY word")
        return {str(word): int(number) for word, number in rows}


def first_rejects(folder: Path, names: Sequence[str], most: int) -> list[str]:
    """Return the first rejects as lines for people: position, code, what to do; no values of the row."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            "SELECT file, number, code, attr, detail FROM records WHERE original IS NOT NULL"
            " AND word <> 'skipped' ORDER BY seq LIMIT ?",
            (most,),
        )
        return [
            f"{place_of_row(names[int(file)], number)}: {code}{f' ({attr})' if attr else ''}: {detail}"
            for file, number, code, attr, detail in rows
        ]


def rejects_by_code(folder: Path) -> dict[str, int]:
    """Return how many records were rejected with which code, the most frequent first."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            "SELECT coalesce(code, '?'), count(*) FROM records WHERE original IS NOT NULL"
            " AND word <> 'skipped' GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return {str(code): int(number) for code, number in rows}


def count_rejects(folder: Path) -> list[tuple[str, str, str, int]]:
    """Return how many rows did not arrive, by outcome, stage and code."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            "SELECT word, coalesce(stage, ''), coalesce(code, ''), count(*) FROM records"
            " WHERE original IS NOT NULL AND word <> 'skipped' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        return [(str(word), str(stage), str(code), int(number)) for word, stage, code, number in rows]


def write_retry(
    folder: Path,
    target: Path,
    *,
    with_duplicates: bool,
    unknown: UnknownRows = UnknownRows.TAKEN,
    can_pass: Callable[[RejectedRow], bool] = lambda _row: True,
) -> RetryRows:
    """Write the rows of a run that are worth another try, and return how many.

    Of the rows that were refused before anything was sent, it takes those that `can_pass` now.

    It leaves out rows that could not be read, and without `with_duplicates` those whose key
    came twice: on their own they would overwrite the row that was imported. It also leaves out what
    had moved since it was planned: an import would write over it. `unknown` says what
    happens to rows that may have been sent, if a second request would create a duplicate.
    """
    worth = f"word <> 'skipped' AND stage <> 'read' AND NOT ({_MOVED})" + (
        "" if with_duplicates else " AND code <> 'duplicate_key'"
    )
    if unknown is not UnknownRows.TAKEN:
        worth += f" AND {'' if unknown is UnknownRows.ALONE else 'NOT '}({_MAY_HAVE_BEEN_SENT})"
    rows = "FROM records WHERE original IS NOT NULL"
    with reading(folder / "journal.sqlite") as connection:
        kept = connection.execute(f"SELECT {_REJECTED_ROW} {rows} AND {worth} ORDER BY seq")
        found = (RejectedRow(Position(*row[:3]), *row[3:]) for row in kept)
        lines = (row.original for row in found if row.stage != "check" or row.word != "rejected" or can_pass(row))
        taken = publish_lines(target, lines).rows
        rejected = connection.execute(f"SELECT count(*) {rows} AND word <> 'skipped'").fetchone()[0]
        unsettled = connection.execute(f"SELECT count(*) {rows} AND {_MAY_HAVE_BEEN_SENT}").fetchone()[0]
        moved = connection.execute(f"SELECT count(*) {rows} AND {_MOVED}").fetchone()[0]
    return RetryRows(taken, left=int(rejected) - taken, unsettled=int(unsettled), moved=int(moved))


def rejected_rows(folder: Path) -> Iterator[RejectedRow]:
    """Yield the rows that did not arrive, in input order; those that the user chose to skip are not among them."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            f"SELECT {_REJECTED_ROW} FROM records WHERE original IS NOT NULL AND word <> 'skipped' ORDER BY seq"  # noqa: S608
        )
        for file, place, number, *about in rows:
            yield RejectedRow(Position(file, place, number), *about)


def dropped_values(folder: Path) -> Iterator[tuple[Position, DroppedValue]]:
    """Yield the values that the records of a run were sent without, in input order.

    Rejected rows are left out: they come back whole.
    """
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            "SELECT file, place, number, field, name, dropped.code, dropped.detail, value FROM dropped"
            " JOIN records USING (seq) WHERE word NOT IN ('rejected', 'skipped') ORDER BY seq, nth"
        )
        for file, place, number, *value in rows:
            yield Position(file, place, number), DroppedValue(*value)


def count_dropped(folder: Path) -> int:
    """Return how many values the records of a run were sent without."""
    return sum(1 for _ in dropped_values(folder))


def unsettled_keys(folder: Path) -> list[str]:
    """Return the keys of the rows that may have been sent, if a second request would create a duplicate."""
    sql = f"SELECT key FROM records WHERE key IS NOT NULL AND {_MAY_HAVE_BEEN_SENT} ORDER BY seq"  # noqa: S608
    with reading(folder / "journal.sqlite") as connection:
        return [str(key) for (key,) in connection.execute(sql)]


def _successes(connection: sqlite3.Connection, names: Sequence[str]) -> Iterator[bytes]:
    # SQLite builds the JSON: for a million rows Python would take seconds.
    rows = connection.execute(
        "SELECT json_object('position', json_object('file', coalesce(json_extract(?, '$[' || file || ']'), file),"
        " 'offset', place, 'record', number), 'key', key, 'gladly_id', gladly_id, 'action', word) FROM records"
        " WHERE word IN ('created', 'updated', 'deleted', 'unchanged') ORDER BY seq",
        (orjson.dumps(list(names)).decode(),),
    )
    return (line.encode() for (line,) in rows)


def _position(names: Sequence[str], position: Position) -> Mapping[str, Any]:
    name = names[position.file] if position.file < len(names) else str(position.file)
    return {"file": name, "offset": position.offset, "record": position.number}


def publish_lines(path: Path, lines: Iterable[bytes], *, end: bytes = b"\n") -> ResultFile:
    """Write a file as a whole, and return its digest; a crash leaves the file of the previous time.

    Raises:
        DiskFull, JournalError: It cannot be written.
    """
    digest, rows, size = hashlib.blake2b(digest_size=16), 0, 0
    try:
        with replacing(path, mode=0o600) as file:
            for line in lines:
                whole = line + end
                file.write(whole)
                digest.update(whole)
                rows, size = rows + 1, size + len(whole)
    except OSError as error:
        raise file_error(error, path) from error
    return ResultFile(str(path), rows, size, digest.hexdigest())
