"""Several files as one run: which, in which order, and where a run goes on."""

import hashlib
import io
import os
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly.errors import DiskFull, InputError, UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.folders import with_folders
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
        ([""], "the name of an input file is empty"),
        (["gone.csv"], r"gone\.csv: no such file"),
        (["notes.txt"], r"notes\.txt: the file name does not show the format; pass --format"),
        (["people.xls"], r"people\.xls: is an old Excel file; save it as \.xlsx, or save the sheet as CSV"),
        (["people.numbers"], r"people\.numbers: is a Numbers spreadsheet; export it as CSV"),
        (["people.zip"], r"people\.zip: is a ZIP archive; unpack it"),
        (["README"], "README: the file name does not show the format"),
        (["notes.gz"], r"notes\.gz: the file name does not show"),
        (["x.parquet.gz"], "unpack it first"),
        (["sub"], "sub: is a folder without data files"),
        (["mixed"], r"mixed/notes\.txt: the file name does not show the format"),
        (["pipe.ndjson"], "pipe it in as -"),
        (["plain.ndjson"], "add .gz to its name"),
        (["plain2.ndjson"], "add .zst to its name"),
        (["a\0b.ndjson"], "cannot be"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(patterns: list[str], message: str) -> None:
    """Before the run begins."""
    for name in ("notes.txt", "README", "notes.gz", "x.parquet.gz", "people.xls", "people.numbers", "people.zip"):
        Path(name).write_bytes(b"x")
    Path("plain.ndjson").write_bytes(b"\x1f\x8b\x08\0")
    Path("plain2.ndjson").write_bytes(b"\x28\xb5\x2f\xfd\0")
    Path("sub").mkdir()
    Path("mixed").mkdir()
    Path("mixed/notes.txt").write_bytes(b"x")
    os.mkfifo("pipe.ndjson")
    if "plain" not in str(patterns) and patterns == ["*.ndjson", "a.ndjson"]:
        for name in ("plain.ndjson", "plain2.ndjson", "pipe.ndjson"):
            Path(name).unlink()

    with pytest.raises(InputError, match=message):
        Inputs.open(patterns)


def spark_output(folder: Path) -> None:
    """As Spark, Databricks and a Mac leave a table in a folder."""
    for name in ("_SUCCESS", "_committed_17", ".part-0.csv.crc", "._part-0.csv", "_temporary/0/part-9.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\0x")
    for at, name in enumerate(("country=DE/part-1.csv", "country=DE/part-0.csv", "country=New%20Zealand/part-0.csv")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"name\n{at}\n")
    empty = folder / "country=__HIVE_DEFAULT_PARTITION__"
    empty.mkdir()
    (empty / "part-0.json").write_text('{"name":"3"}\n{"name":"4","country":"FR"}\n')
    columnar = folder / "country=FR"
    columnar.mkdir()
    pq.write_table(pa.table({"name": ["5"]}), columnar / "part-0.snappy.parquet")


@pytest.mark.usefixtures("folder")
def test_a_folder_is_its_data_files() -> None:
    """In the order of their names, without bookkeeping; names of folders are columns, the file's own values win."""
    spark_output(Path("out"))

    inputs = Inputs.open(["out"])

    found = [(row.fields["name"], row.fields["country"]) for row in rows_of(inputs) if row.fields]
    assert found == [("1", "DE"), ("0", "DE"), ("5", "FR"), ("2", "New Zealand"), ("3", ""), ("4", "FR")]
    assert [reader.columns() for reader in inputs.readers] == [("name", "country")] * 4 + [None]
    assert inputs.sample(6) == rows_of(inputs)
    assert inputs.notes == (
        "out: is a folder; its data files are read in the order of their names",
        "out/country=DE/part-0.csv and 4 more: has country from the names of its folders",
    )


@pytest.mark.usefixtures("folder")
def test_the_files_of_a_folder_are_as_they_were_in_a_resume() -> None:
    """A run keeps the files, and which folder was given; files that were named themselves have no more columns."""
    spark_output(Path("year=2026"))
    options = with_folders(ReadOptions(), [Path("year=2026")])
    inputs = Inputs.open(["year=2026"])
    files = [str(file.path.absolute()) for file in inputs.files]

    again = Inputs.open(files, options)

    assert rows_of(again) == rows_of(inputs)
    assert rows_of(Inputs.open(files))[0].fields == {"name": "1"}


@pytest.mark.usefixtures("folder")
def test_a_pattern_passes_over_bookkeeping() -> None:
    """What Spark leaves beside the data; a data file may begin with an underscore."""
    spark_output(Path("out"))
    Path("out/_customers.csv").write_text("name\nAda\n")

    assert [file.name for file in Inputs.open(["out/*"]).files] == ["out/_customers.csv"]


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
