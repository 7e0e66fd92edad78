"""Several files as one run: which, in which order, and where a run goes on."""

import hashlib
import io
import os
import stat
from pathlib import Path

import pytest

from bulkgladly.errors import DiskFull, InputError, UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.inputs import Inputs, spool
from bulkgladly.records import Mark, Position, Row


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("b.ndjson").write_bytes(b'{"name":"Ada"}\n{"name":"Grace"}\n')
    Path("a.ndjson").write_bytes(b'{"name":"Mary"}\n')
    Path("c.csv").write_bytes(b"name\nJoan\nRadia\n")
    return tmp_path


def rows_of(inputs: Inputs, start: Mark | None = None) -> list[Row]:
    return [row for batch in inputs.batches(start or Mark(), size=1) for row in batch]


def names_of(rows: list[Row]) -> list[str]:
    return [row.fields["name"] for row in rows if row.fields]


@pytest.mark.usefixtures("folder")
def test_files_follow_each_other_in_the_order_named() -> None:
    """The matches of a pattern are sorted, and rows are counted through."""
    inputs = Inputs.open(["c.csv", "*.ndjson"])

    rows = rows_of(inputs)

    assert [file.name for file in inputs.files] == ["c.csv", "a.ndjson", "b.ndjson"]
    assert names_of(rows) == ["Joan", "Radia", "Mary", "Ada", "Grace"]
    assert [row.seq for row in rows] == [0, 1, 2, 3, 4]
    assert [row.position.file for row in rows] == [0, 0, 1, 2, 2]
    assert inputs.estimate_rows() == (5, True)
    assert names_of(inputs.sample(3)) == ["Joan", "Radia", "Mary"]


@pytest.mark.usefixtures("folder")
def test_a_run_goes_on_at_any_row() -> None:
    """The mark's row comes first, with the mark's number."""
    inputs = Inputs.open(["c.csv", "*.ndjson"])
    rows = rows_of(inputs)

    for index, row in enumerate(rows):
        assert rows_of(inputs, Mark(row.seq, row.position)) == rows[index:]
    assert rows_of(inputs, Mark(7, rows[-1].position))[0].seq == 7
    with pytest.raises(InputError, match="input file 4, but only 3"):
        rows_of(inputs, Mark(5, Position(3, 0, 1)))


def test_files_are_described_by_their_content(folder: Path) -> None:
    """Size, time and hash are what a resume compares."""
    file = Inputs.open(["a.ndjson"]).files[0]

    content = (folder / "a.ndjson").read_bytes()
    assert file.size == len(content)
    assert file.mtime_ns == (folder / "a.ndjson").stat().st_mtime_ns
    assert file.fingerprint() == hashlib.blake2b(content, digest_size=32).hexdigest()
    (folder / "a.ndjson").unlink()
    with pytest.raises(InputError, match=r"a\.ndjson: cannot be read"):
        file.fingerprint()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ([], "no input file"),
        (["a.ndjson", "./a.ndjson"], r"a\.ndjson: is given twice"),
        (["*.ndjson", "a.ndjson"], r"a\.ndjson: is given twice"),
        (["*.parquet"], r"\*\.parquet: no file matches this pattern"),
        (["gone.csv"], r"gone\.csv: no such file"),
        (["notes.txt"], r"notes\.txt: the file name does not show the format; pass --format"),
        (["people.xlsx"], r"people\.xlsx: is a spreadsheet; save it as CSV first"),
        (["README"], "README: the file name does not show the format"),
        (["notes.gz"], r"notes\.gz: the file name does not show"),
        (["x.parquet.gz"], "unpack it first"),
        (["sub"], r"sub: is a folder; pass its files"),
        (["pipe.ndjson"], "pipe it in as -"),
        (["plain.ndjson"], "add .gz to its name"),
        (["plain2.ndjson"], "add .zst to its name"),
        (["a\0b.ndjson"], "cannot be"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(patterns: list[str], message: str) -> None:
    """Before the run begins."""
    for name in ("notes.txt", "README", "notes.gz", "x.parquet.gz", "people.xlsx"):
        Path(name).write_bytes(b"x")
    Path("plain.ndjson").write_bytes(b"\x1f\x8b\x08\0")
    Path("plain2.ndjson").write_bytes(b"\x28\xb5\x2f\xfd\0")
    Path("sub").mkdir()
    os.mkfifo("pipe.ndjson")
    if "plain" not in str(patterns) and patterns == ["*.ndjson", "a.ndjson"]:
        for name in ("plain.ndjson", "plain2.ndjson", "pipe.ndjson"):
            Path(name).unlink()

    with pytest.raises(InputError, match=message):
        Inputs.open(patterns)


@pytest.mark.usefixtures("folder")
def test_a_format_can_be_said_and_names_with_wildcards_are_names() -> None:
    """The option wins over the suffix; an existing name wins over the pattern it could be."""
    Path("people[1].txt").write_bytes(b"name\nAda\n")
    Path("DATA.NDJSON").write_bytes(b"{}\n")

    assert names_of(rows_of(Inputs.open(["people[1].txt"], ReadOptions(format="csv")))) == ["Ada"]
    assert len(rows_of(Inputs.open(["DATA.NDJSON"]))) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "klingon"}, "unknown --encoding klingon"),
        ({"encoding": "base64"}, "unknown --encoding base64"),
        ({"encoding": "punycode"}, "unknown --encoding punycode"),
        ({"encoding": "unicode_escape"}, "unknown --encoding unicode_escape"),
        ({"delimiter": ";;"}, "--delimiter must be one character"),
        ({"delimiter": "\n"}, "--delimiter must be one character"),
        ({"quotechar": ""}, "--quotechar must be one character"),
        ({"delimiter": '"'}, "are both"),
        ({"format": "xml"}, "--format: .xml. is not supported"),
        ({"max_record_bytes": 0}, "max_record_bytes must be at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, str], message: str) -> None:
    """Before any file is opened."""
    with pytest.raises(UsageError, match=message):
        ReadOptions(**options)  # type: ignore[arg-type]


class Twice:
    """Makes as many rows of each as it is told, all at its place."""

    is_one_to_one = False

    def __init__(self, times: int) -> None:
        self._times = times

    def __call__(self, row: Row) -> list[Row]:
        return [Row(row.position, row.fields, source=row.fields) for _ in range(self._times)]


@pytest.mark.usefixtures("folder")
def test_a_row_may_become_several() -> None:
    """They are counted through, and come in batches of the size asked for; the files' own rows stay as they are."""
    inputs = Inputs.open(["c.csv", "*.ndjson"], expand=Twice(3))

    batches = list(inputs.batches(size=2))
    rows = [row for batch in batches for row in batch]

    assert [row.seq for row in rows] == list(range(15))
    assert names_of(rows)[:4] == ["Joan", "Joan", "Joan", "Radia"]
    assert max(len(batch) for batch in batches) <= 2
    assert all(batches)
    assert [row.seq for row in rows_of(inputs, Mark(3, rows[3].position))] == list(range(3, 15))
    assert inputs.estimate_rows() == (15, True)
    assert [row.seq for row in inputs.sample(4)] == [0, 1, 2, 3]
    assert names_of(inputs.readers[0].sample(9)) == ["Joan", "Radia"]


def test_how_many_rows_there_will_be_is_a_guess_from_the_first(tmp_path: Path) -> None:
    """Told as a guess where not all were looked at."""
    (tmp_path / "many.ndjson").write_bytes(b'{"name":"Ada"}\n' * 1000)

    count, is_exact = Inputs.open([str(tmp_path / "many.ndjson")], expand=Twice(4)).estimate_rows()

    assert (count, is_exact) == (4000, False)


def test_spooling_keeps_a_stream_for_its_owner(tmp_path: Path) -> None:
    """The copy is whole, private, and has no other name left."""
    target = tmp_path / "stdin.ndjson"

    spool(io.BytesIO(b"x" * 3_000_000), target)

    assert target.read_bytes() == b"x" * 3_000_000
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("number", "error"), [(28, DiskFull), (5, InputError)])
def test_spooling_that_fails_leaves_no_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    """A full disk is told apart from other failures."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", fail)

    with pytest.raises(error, match=r"stdin\.ndjson"):
        spool(io.BytesIO(b"x"), tmp_path / "stdin.ndjson")

    assert not (tmp_path / "stdin.ndjson").exists()
