"""The result files: always all of them, and what was rejected can be imported again as it is."""

import hashlib
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.errors import JournalDamaged
from bulkgladly.files.inputs import Inputs
from bulkgladly.journal.entries import Admission
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.results import (
    RESULT_FILES,
    ResultFile,
    count_by_word,
    first_rejects,
    original_of,
    rejects_by_code,
    write_results,
)
from bulkgladly.records import Outcome, Position, Problem, Row, Stage, Word

SCOPE = ("https://example.gladly.com", "customers", "default")
NAMES = ["customers.csv", "more.ndjson"]
TAKEN = Problem("taken", "emails belongs to another customer; look at both", "emails", Stage.CONFLICT)
Settled = tuple[Position, Outcome, dict[str, Any] | None]


def place(file: int, number: int) -> Position:
    return Position(file, number * 10, number)


async def journal(folder: Path, settled: list[Settled]) -> None:
    ledger = Ledger(folder, state=folder / "state.sqlite", scope=SCOPE)
    await ledger.admit([Admission(seq, position) for seq, (position, _, _) in enumerate(settled)])
    for seq, (position, outcome, fields) in enumerate(settled):
        original = None if fields is None else original_of(Row(position, fields))
        ledger.settle(seq, position, outcome, key=f"k-{seq}", attempts=1, original=original)
    await ledger.flush()
    ledger.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def content(file: ResultFile) -> bytes:
    return Path(file.path).read_bytes()


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def mode(file: ResultFile) -> int:
    return stat.S_IMODE(Path(file.path).stat().st_mode)


async def test_an_empty_run_has_all_files(tmp_path: Path) -> None:
    """So that a script never has to ask."""
    await journal(tmp_path, [])

    files = write_results(tmp_path, NAMES, [])

    assert [Path(file.path).name for file in files] == list(RESULT_FILES)
    assert all(content(file) == b"" for file in files)
    assert [file.rows for file in files] == [0, 0, 0]


async def test_successes_name_position_key_id_and_action(tmp_path: Path) -> None:
    """In the order of the input; nothing of the row itself."""
    words = (Word.CREATED, Word.UPDATED, Word.DELETED, Word.UNCHANGED)
    await journal(
        tmp_path, [(place(n % 2, n + 1), Outcome(word, gladly_id=f"id-{n}"), None) for n, word in enumerate(words)]
    )

    write_results(tmp_path, NAMES, [])

    found = lines(tmp_path / "success.ndjson")
    assert [line["action"] for line in found] == ["created", "updated", "deleted", "unchanged"]
    assert found[1] == {
        "position": {"file": "more.ndjson", "offset": 20, "record": 2},
        "key": "k-1",
        "gladly_id": "id-1",
        "action": "updated",
    }


async def test_rejects_are_the_original_and_one_object(tmp_path: Path) -> None:
    """Rejected, unknown and skipped rows stand here, each with what is known about it."""
    fields = {"name": "Ada", "email:1": "ada@example.org"}
    unknown = Outcome(Word.UNKNOWN, gladly_id="id-1", stage=Stage.API, code="unsettled", detail="ask again")
    await journal(
        tmp_path,
        [
            (place(0, 1), Outcome.rejected(TAKEN, status=409), fields),
            (place(0, 2), unknown, fields),
            (place(1, 3), Outcome(Word.SKIPPED, code="taken"), fields),
            (place(1, 4), Outcome(Word.CREATED), None),
        ],
    )

    write_results(tmp_path, NAMES, [])

    found = lines(tmp_path / "rejected.ndjson")
    assert [line["_bulkgladly"]["outcome"] for line in found] == ["rejected", "unknown", "skipped"]
    assert {name: value for name, value in found[0].items() if name != "_bulkgladly"} == fields
    assert found[0]["_bulkgladly"] == {
        "position": {"file": "customers.csv", "offset": 10, "record": 1},
        "outcome": "rejected",
        "stage": "conflict",
        "status": 409,
        "code": "taken",
        "attr": "emails",
        "detail": "emails belongs to another customer; look at both",
        "gladly_id": None,
    }


async def test_rejects_can_be_imported_again(tmp_path: Path) -> None:
    """The reader sees the very rows that were rejected."""
    rows: list[dict[str, Any]] = [
        {"name": "Ada", "email:1": "ada@example.org", "customAttribute:note": 'a "quoted"\nline'},
        {"name": "Zoë", "emails": [{"original": "zoe@example.org", "primary": True}], "address": None},
    ]
    await journal(tmp_path, [(place(0, n), Outcome.rejected(TAKEN), row) for n, row in enumerate(rows)])
    write_results(tmp_path, NAMES, [])

    again = [row for batch in Inputs.open([str(tmp_path / "rejected.ndjson")]).batches() for row in batch]

    assert [row.fields for row in again] == rows
    assert not [row for row in again if row.problem]


@pytest.mark.parametrize(
    ("raw", "about"),
    [(b'{"name": "Ada', {"raw": '{"name": "Ada'}), (b"\xff\xfe", {"raw_base64": "//4="}), (b"", {"raw": ""})],
)
async def test_rows_that_could_not_be_read_are_kept_as_they_were(
    raw: bytes, about: dict[str, str], tmp_path: Path
) -> None:
    """As text, or as base64 where they are no text."""
    row = Row(place(0, 1), None, Problem("json", "no JSON", stage=Stage.READ), raw)
    ledger = Ledger(tmp_path, state=tmp_path / "state.sqlite", scope=SCOPE)
    await ledger.admit([Admission(0, row.position)])
    assert row.problem is not None
    ledger.settle(0, row.position, Outcome.rejected(row.problem), original=original_of(row))
    ledger.close()

    write_results(tmp_path, NAMES, [])

    [line] = lines(tmp_path / "rejected.ndjson")
    assert list(line) == ["_bulkgladly"]
    assert about.items() <= line["_bulkgladly"].items()
    assert (line["_bulkgladly"]["code"], line["_bulkgladly"]["stage"]) == ("json", "read")


async def test_a_note_of_an_earlier_run_does_not_hide_the_new_one(tmp_path: Path) -> None:
    """A row from Parquet may still carry what an earlier reject said."""
    fields = {"name": "Ada", "_bulkgladly": {"code": "older", "position": "older"}}
    await journal(tmp_path, [(place(0, 1), Outcome.rejected(TAKEN), fields)])

    write_results(tmp_path, NAMES, [])

    [line] = lines(tmp_path / "rejected.ndjson")
    assert line["_bulkgladly"]["code"] == "taken"
    assert line["_bulkgladly"]["position"] == {"file": "customers.csv", "offset": 10, "record": 1}


async def test_unprocessed_rows_are_the_original_rows(tmp_path: Path) -> None:
    """A further run can take them as they are."""
    await journal(tmp_path, [])
    rows = [Row(place(0, n), {"name": f"Ada {n}"}, seq=n) for n in range(3)]

    write_results(tmp_path, NAMES, rows)

    assert lines(tmp_path / "unprocessed.ndjson") == [row.fields for row in rows]


@pytest.mark.parametrize("times", [1, 2])
async def test_files_are_private_whole_and_hashed(times: int, tmp_path: Path) -> None:
    """Published by renaming; a second time replaces the first."""
    await journal(tmp_path, [(place(0, 1), Outcome(Word.CREATED, gladly_id="id-1"), None)])

    files: list[ResultFile] = []
    for _ in range(times):
        files = write_results(tmp_path, NAMES, [])

    for file in files:
        assert mode(file) == 0o600
        assert file.size == len(content(file))
        assert file.digest == hashlib.blake2b(content(file), digest_size=16).hexdigest()
    assert not [path for path in names_in(tmp_path) if path.startswith(".")]
    assert files[0].rows == 1


async def test_counts_come_from_the_records(tmp_path: Path) -> None:
    """So that the invariant compares two independent numbers."""
    await journal(
        tmp_path,
        [
            (place(0, 1), Outcome(Word.CREATED), None),
            (place(0, 2), Outcome.rejected(TAKEN), {"name": "a"}),
            (place(0, 3), Outcome.rejected(TAKEN), {"name": "b"}),
            (place(0, 4), Outcome.rejected(Problem("json", "no JSON")), {"name": "c"}),
        ],
    )

    assert count_by_word(tmp_path) == {"created": 1, "rejected": 3}
    assert list(rejects_by_code(tmp_path).items()) == [("taken", 2), ("json", 1)]


async def test_first_rejects_are_told_without_values(tmp_path: Path) -> None:
    """Position, code and way out; people's data stays in the file."""
    await journal(tmp_path, [(place(0, n), Outcome.rejected(TAKEN), {"name": "Secret Name"}) for n in range(1, 6)])

    told = first_rejects(tmp_path, NAMES, 2)

    assert len(told) == 2
    assert all("customers.csv" in line and "taken" in line for line in told)
    assert not [line for line in told if "Secret" in line]


def test_results_of_no_journal_are_an_error(tmp_path: Path) -> None:
    """That names the file."""
    with pytest.raises(JournalDamaged, match=r"journal\.sqlite"):
        write_results(tmp_path, NAMES, [])
