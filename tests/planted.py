"""A token and people that are planted in a flow, and a search for them in every byte that it leaves behind.

The token may be nowhere, packed and encoded forms included. People may be where rows are (results, journals,
memory, data sets, inputs), and nowhere else: not in reports, messages, manifests, names of files, logs.
"""

import base64
import gzip
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

__all__ = ("PEOPLE", "ROW_FILES", "TOKEN", "USER", "traces")

USER = "agent@example.org"
TOKEN = "planted-token-7f3a9c"
PEOPLE = ("Zenobia Quartermaine", "zenobia.quartermaine@example.org", "6505550142")

ROW_FILES = (
    "success.ndjson",
    "rejected.ndjson",
    "unprocessed.ndjson",
    "retry.ndjson",
    "stdin.*",
    "*.ndjson.partial",
    "journal.sqlite*",
    "state.sqlite*",
    "*.parquet",
    "*.jsonl.zst",
)
"""Files that hold rows on purpose; below `_rejects` and `_raw` of a data set all do."""


def traces(folders: Iterable[Path], said: Iterable[str] = (), *, inputs: Iterable[Path] = ()) -> list[str]:
    """Return where the token or a person is left although neither may be: in files, in their names, in what was said.

    `said` are outputs of processes, `inputs` the files that the flow was given.
    """
    given = {path.absolute() for path in inputs}
    found = [f"{word} in what was said" for text in said for word in (*_forms(TOKEN), *PEOPLE) if word in text]
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        found += [f"{word} in the name of {path}" for word in (TOKEN, *PEOPLE) if word in path.name]
        if not path.is_file():
            continue
        contents = list(_contents(path))
        hidden = list(_forms(TOKEN))
        if path.absolute() not in given and not _holds_rows(path):
            hidden += PEOPLE
        found += [
            f"{word} in {path}" for word in hidden if any(form in each for each in contents for form in _codings(word))
        ]
    return found


def _holds_rows(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in ROW_FILES) or bool({"_rejects", "_raw"} & set(path.parts))


def _forms(token: str) -> Iterator[str]:
    """Yield what the token looks like on its way: alone, and with the user as HTTP Basic has them."""
    yield token
    pair = f"{USER}:{token}"
    yield base64.b64encode(pair.encode()).decode()
    yield urllib.parse.quote(pair, safe="")
    yield token.encode().hex()


def _codings(word: str) -> tuple[bytes, ...]:
    return word.encode(), word.encode("utf-16-le")


def _contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and those that it holds packed."""
    raw = path.read_bytes()
    yield raw
    if raw[:2] == b"\x1f\x8b":
        try:
            yield gzip.decompress(raw)
        except (EOFError, OSError, zlib.error):
            yield zlib.decompressobj(31).decompress(raw)
    if raw[:4] == b"\x28\xb5\x2f\xfd":
        yield zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    if raw[:4] == b"PAR1" == raw[-4:]:
        try:
            yield repr(pq.read_table(path).to_pylist()).encode()
            yield repr(pq.read_schema(path).metadata).encode()
        except pa.ArrowException:
            return
