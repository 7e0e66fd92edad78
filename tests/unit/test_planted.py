"""The search for planted secrets finds them, wherever they are and however they are packed."""

import base64
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.planted import PEOPLE, TOKEN, USER, traces


def a_table(path: Path, text: str) -> None:
    pq.write_table(pa.table({"a": [text] * 100}), path)


def a_noted_table(path: Path, text: str) -> None:
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"note": text}), path)


HIDDEN: dict[str, Callable[[Path, str], object]] = {
    "plain": lambda path, text: path.write_text(f"a {text} b", encoding="utf-8"),
    "utf-16": lambda path, text: path.write_text(text, encoding="utf-16"),
    "gzip": lambda path, text: path.write_bytes(gzip.compress(text.encode())),
    "half a gzip": lambda path, text: path.write_bytes(gzip.compress(text.encode() + b"x" * 1000)[:-9]),
    "zstd": lambda path, text: path.write_bytes(zstandard.compress(text.encode())),
    "parquet": a_table,
    "metadata": a_noted_table,
}


@pytest.mark.parametrize("form", HIDDEN)
@pytest.mark.parametrize("name", ["success.ndjson", "journal.sqlite", "a.parquet", "x.log"])
def test_the_token_is_found_in_every_file(name: str, form: str, tmp_path: Path) -> None:
    """Row files are no excuse."""
    HIDDEN[form](tmp_path / name, TOKEN)

    assert traces([tmp_path])


@pytest.mark.parametrize(
    "form",
    [base64.b64encode(f"{USER}:{TOKEN}".encode()).decode(), TOKEN.encode().hex(), f"agent%40example.org%3A{TOKEN}"],
)
def test_the_token_is_found_as_it_travels(form: str, tmp_path: Path) -> None:
    """As HTTP Basic has it, in a URL, and as a dump of bytes."""
    (tmp_path / "x.log").write_text(f"Authorization: Basic {form}", encoding="utf-8")

    assert traces([tmp_path])
    assert traces([], [f"sent {form}"])


@pytest.mark.parametrize("person", PEOPLE)
def test_people_are_found_but_where_rows_are(person: str, tmp_path: Path) -> None:
    """In a report, a name of a file or an output; not in results, in what was given, or below _rejects."""
    rejects = tmp_path / "_rejects"
    rejects.mkdir()
    for path in (
        tmp_path / "success.ndjson",
        tmp_path / "given.csv",
        rejects / "job-1.jsonl",
        tmp_path / "state.sqlite-wal",
    ):
        path.write_text(person, encoding="utf-8")
    assert traces([tmp_path], inputs=[tmp_path / "given.csv"]) == []

    assert len(traces([tmp_path])) == 1
    assert traces([], [f"row 1: {person}"])
    (tmp_path / "report.md").write_text(person, encoding="utf-8")
    assert len(traces([tmp_path], inputs=[tmp_path / "given.csv"])) == 1
    (tmp_path / "report.md").rename(tmp_path / f"{person}.ndjson")
    assert any("name of" in found for found in traces([tmp_path]))
