"""What a run began with, as `run.json` holds it."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.errors import JournalDamaged
from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import file_error

__all__ = ("InputFile", "RunHeader", "header_of", "removal_of", "write_header")

FORMAT = 1
_TEXTS = ("run", "resource", "mode", "host", "created_at", "version")


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input as it was when the run began. `digest` is BLAKE2b over the whole file, in hex."""

    path: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What `run.json` holds: everything that a resume needs, and no secret."""

    run: str
    resource: str
    mode: str
    host: str
    inputs: tuple[InputFile, ...]
    settings: Mapping[str, Any]
    created_at: str
    version: str
    parent: str | None = None
    format: int = field(default=FORMAT)
    is_whole: bool = False
    """The journal was there before this header. False where an older version wrote the header first."""


def write_header(path: Path, header: RunHeader) -> None:
    """Write `run.json`, whole or not at all, and on the disk when this returns.

    Raises:
        DiskFull, JournalError: It cannot be written.
    """
    try:
        write_private(path, orjson.dumps(asdict(header), option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise file_error(error, path) from error


def header_of(path: Path) -> RunHeader:
    """Read `run.json`.

    Raises:
        JournalDamaged: Not readable, or written by a newer version.
    """
    try:
        found = orjson.loads(path.read_bytes())
        # Before anything else is looked at: what a newer version writes may have another form.
        if found["format"] > FORMAT:
            raise JournalDamaged(f"{path} was written by a newer version of bulkgladly; use that version")
        found["inputs"] = tuple(InputFile(**item) for item in found["inputs"])
        header = RunHeader(**found)
        if not all(isinstance(getattr(header, name), str) for name in _TEXTS):
            raise TypeError("a text is missing")
        if not isinstance(header.settings, dict):
            raise TypeError("the settings are missing")
        if not all(isinstance(text, str) for item in header.inputs for text in (item.path, item.digest)):
            raise TypeError("an input has no path")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JournalDamaged(f"{path} is not a run header: {error}; {removal_of(path.parent)}") from error
    return header


def removal_of(folder: Path) -> str:
    """Say how to get rid of a run that cannot be used."""
    return f"move the folder away or remove it: rm -r {shlex.quote(str(folder))}"
