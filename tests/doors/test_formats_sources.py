"""The byte stream under the text formats: compressed equals plain, and damage is named where it is."""

import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.errors import InputError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.opening import open_reader
from bulkgladly.files.sources import Source
from bulkgladly.records import Position, Row

PACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}


def rows_of(path: Path, start: Position | None = None) -> list[Row]:
    reader = open_reader(path, 0, ReadOptions())
    return [row for batch in reader.batches(start) for row in batch]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.binary(max_size=30), min_size=1, max_size=4),
    st.sampled_from(sorted(PACK)),
    st.sampled_from([1, 10, 1 << 20]),
)
def test_compressed_equals_plain_from_every_offset(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], suffix: str, block: int
) -> None:
    """Also in several members or frames, as appending tools and parallel compressors write them."""
    content = b"".join(parts)
    path = tmp_path_factory.mktemp("packed") / f"data{suffix}"
    path.write_bytes(b"".join(PACK[suffix](part) for part in parts))
    source = Source(path, block_bytes=block)

    for offset in range(len(content) + 1):
        with source.open(offset) as stream:
            assert stream.offset == offset
            assert b"".join(stream) == content[offset:]
            assert stream.offset == len(content)
            assert stream.consumed == path.stat().st_size


@pytest.mark.parametrize("suffix", sorted(PACK))
@pytest.mark.parametrize("name", ["c.ndjson", "c.csv"])
def test_rows_and_positions_are_those_of_the_plain_file(tmp_path: Path, name: str, suffix: str) -> None:
    """So that a file may be unpacked between a run and its resume, as far as positions go."""
    content = b'{"a":1}\n\n{"a":2}\n{"a":3}' if name == "c.ndjson" else b'a,b\n1,"x\ny"\n2,3'
    plain, packed = tmp_path / name, tmp_path / (name + suffix)
    plain.write_bytes(content)
    packed.write_bytes(PACK[suffix](content))

    rows = rows_of(packed)

    assert rows == rows_of(plain)
    for index, row in enumerate(rows):
        assert rows_of(packed, row.position) == rows[index:]
    assert open_reader(packed, 0, ReadOptions()).estimate_rows() == (len(rows), True)


@pytest.mark.parametrize("suffix", sorted(PACK))
def test_the_rows_before_the_damage_are_good(tmp_path: Path, suffix: str) -> None:
    """A download that broke off is named with the place, after all that could be read."""
    lines = [b'{"a":"%s"}' % os.urandom(40).hex().encode() for _ in range(60_000)]
    whole = PACK[suffix](b"\n".join(lines))
    path = tmp_path / f"c.ndjson{suffix}"
    path.write_bytes(whole[:-1000])
    reader = open_reader(path, 0, ReadOptions())
    rows: list[Row] = []

    with pytest.raises(InputError, match=r"c\.ndjson\.\w+: after \d+ bytes of content: the \w+ data ends too early"):
        rows.extend(row for batch in reader.batches() for row in batch)

    assert all(row.problem is None for row in rows)
    assert 50_000 < len(rows) < 60_000


@pytest.mark.parametrize("suffix", sorted(PACK))
def test_damaged_bytes_are_an_error_with_a_place(tmp_path: Path, suffix: str) -> None:
    """Neither garbage behind the data nor a changed byte within goes unnoticed."""
    packed = PACK[suffix](b'{"a":1}\n' * 100)
    path = tmp_path / f"c.ndjson{suffix}"

    for damaged in (packed + b"garbage", packed[:2], b""):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"after \d+ bytes of content"):
            rows_of(path)


def test_zero_padding_behind_gzip_members_is_allowed(tmp_path: Path) -> None:
    """Tapes and some object stores pad."""
    path = tmp_path / "c.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n') + bytes(100_000) + gzip.compress(b'{"a":2}\n') + bytes(7))

    assert [row.fields for row in rows_of(path)] == [{"a": 1}, {"a": 2}]


def test_skippable_zstd_frames_are_skipped(tmp_path: Path) -> None:
    """Parallel compressors write them."""
    skippable = b"\x50\x2a\x4d\x18\x05\0\0\0xxxxx"
    path = tmp_path / "c.ndjson.zst"
    path.write_bytes(skippable + zstandard.compress(b'{"a":1}\n') + skippable)

    assert [row.fields for row in rows_of(path)] == [{"a": 1}]


@pytest.mark.parametrize("suffix", sorted(PACK))
def test_a_bomb_comes_in_blocks(tmp_path: Path, suffix: str) -> None:
    """Whatever a few bytes stand for, a bounded part of it is in memory at a time."""
    path = tmp_path / f"bomb.ndjson{suffix}"
    if suffix == ".gz":
        packer = zlib.compressobj(9, wbits=31)
        path.write_bytes(b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush())
    else:
        path.write_bytes(zstandard.ZstdCompressor(level=3).compress(bytes(100 << 20)))

    with Source(path).open() as stream:
        sizes = [len(block) for block in stream]

    assert sum(sizes) == 100 << 20
    assert max(sizes) <= 64 << 20
    (row,) = rows_of_limited(path)
    assert row.problem is not None
    assert row.problem.code == "record_too_large"


def rows_of_limited(path: Path) -> list[Row]:
    reader = open_reader(path, 0, ReadOptions(max_record_bytes=1000))
    return [row for batch in reader.batches() for row in batch]


def test_a_stream_that_ends_before_the_offset_is_an_error(tmp_path: Path) -> None:
    """A resume in a file that became shorter must not look like its end."""
    path = tmp_path / "c.ndjson.gz"
    path.write_bytes(gzip.compress(b"{}\n"))

    with pytest.raises(InputError, match="ends after 3 bytes, but the run stopped at byte 50"):
        Source(path).open(50)


@pytest.mark.parametrize("suffix", sorted(PACK))
def test_the_rows_of_a_compressed_file_are_estimated(tmp_path: Path, suffix: str) -> None:
    """From how much of the file the first rows took."""
    path = tmp_path / f"c.ndjson{suffix}"
    path.write_bytes(PACK[suffix](b"".join(b'{"a":"%s"}\n' % os.urandom(50).hex().encode() for _ in range(50_000))))

    count, is_exact = open_reader(path, 0, ReadOptions()).estimate_rows()

    assert not is_exact
    assert 40_000 < count < 60_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_wide_encoding_without_its_mark_is_named(tmp_path: Path, encoding: str) -> None:
    """A file that is not what --encoding says is an input error that names the fix, not an internal one."""
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")

    with pytest.raises(InputError, match=f"--encoding {encoding}-le"):
        Source(path, transcode_from=encoding).head()
