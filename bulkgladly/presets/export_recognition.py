"""Finds out which file of an export holds what, by the names of the files and by a look at their rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bulkgladly.errors import InputError, UsageError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.folders import files_in
from bulkgladly.files.inputs import Inputs
from bulkgladly.files.opening import open_reader
from bulkgladly.mapping.row_values import compile_path, is_empty
from bulkgladly.mapping.tables import Table
from bulkgladly.presets.preset_catalog import Preset, PresetInput, load_preset, preset_names

__all__ = ("SAMPLE_ROWS", "SourceExport", "SourceFile", "column_of", "found_in", "recognise")

SAMPLE_ROWS = 1000
_MOST_FILES = 1000
"""An export has few files; a folder with more than this is most likely not the one that was meant."""
_MOST_BYTES = 32 << 20
"""How far into a file its first rows are looked at; as objects they take several times as much memory."""
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file, its columns and its first rows. `is_table` says that all rows have the same columns, as in CSV."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    is_table: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceExport:
    """The files of an export by the input of the preset that they are, and what is left.

    `unknown` are files that are none of the inputs, `unread` those that could not be read, with the reason.
    """

    files: Mapping[str, tuple[SourceFile, ...]]
    unknown: tuple[SourceFile, ...] = ()
    unread: tuple[tuple[Path, str], ...] = ()

    def paths(self, name: str) -> tuple[Path, ...]:
        """Return the files of an input."""
        return tuple(file.path for file in self.files.get(name, ()))

    def rows(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the sampled rows of an input."""
        for file in self.files.get(name, ()):
            yield from file.rows


def recognise(preset: Preset, path: Path, reading: ReadOptions, *, rows: int = SAMPLE_ROWS) -> SourceExport:
    """Return which file in a folder, or whether this one file, is which part of the preset's export.

    Raises:
        UsageError: There is no such path, or no file is part of such an export; the message says what was looked for.
    """
    found: dict[str, list[SourceFile]] = {}
    unknown: list[SourceFile] = []
    unread: list[tuple[Path, str]] = []
    for one in _files(path):
        if any("\ud800" <= character <= "\udfff" for character in str(one)):
            unread.append((one, "the name is not valid UTF-8; rename the file"))
            continue
        try:
            sampled = _sampled(one, reading, rows)
        except InputError as error:
            unread.append((one, str(error).removeprefix(f"{one}: ")))
            continue
        chosen = _chosen(preset, sampled)
        if chosen is None:
            unknown.append(sampled)
        else:
            found.setdefault(chosen.name, []).append(sampled)
    export = SourceExport({name: tuple(files) for name, files in found.items()}, tuple(unknown), tuple(unread))
    if not found:
        raise UsageError(_nothing_found(preset, path, export))
    return export


def _files(path: Path) -> list[Path]:
    try:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder; name the folder of the export")
        if not path.is_dir():
            return [path]
        found = [one for one in files_in(path) if one.suffix != ".toml"]
    except OSError as error:
        raise UsageError(f"{path}: cannot be listed: {error.strerror}") from error
    if len(found) > _MOST_FILES:
        raise UsageError(
            f"{path}: has {len(found):,} files, but at most {_MOST_FILES:,} can be looked at; name the folder that has "
            "only the export, or join the files of one kind, such as cat conversation_*.json > conversations.json"
        )
    return found


def _sampled(path: Path, reading: ReadOptions, rows: int) -> SourceFile:
    reader = open_reader(path, 0, reading)
    found = tuple(_first(reader, rows))
    shared = reader.columns()
    columns = shared if shared is not None else tuple(dict.fromkeys(name for row in found for name in row))
    return SourceFile(path, columns, found, shared is not None, tuple(reader.notes))


def _first(reader: Reader, rows: int) -> Iterator[Mapping[str, Any]]:
    """Yield the first rows of a file, fewer if they are large: tickets with their comments may be."""
    count = 0
    with closing(Inputs([reader]).batches()) as batches:
        for batch in batches:
            for row in batch:
                if count >= rows or row.position.offset > _MOST_BYTES:
                    return
                count += 1
                if row.fields is not None:
                    yield row.fields


# --- which input a file is ---


def _chosen(preset: Preset, file: SourceFile) -> PresetInput | None:
    """Return the input that a file is: its rows must fit, and among those that fit its name decides."""
    fitting = [one for one in preset.inputs if _fits(one, file)]
    return max(fitting, key=lambda one: (_is_named(one, file.path), len(one.columns)), default=None)


def _is_named(one: PresetInput, path: Path) -> bool:
    stem = path.name.partition(".")[0].lower()
    return any(fnmatch(stem, pattern) for pattern in one.names)


def _fits(one: PresetInput, file: SourceFile) -> bool:
    if file.is_table:
        if any("." in column for column in one.columns) or one.where:
            return False
        return all(column_of(column, file.columns) is not None for column in one.columns)
    # Not every row has everything: optional fields are often left out instead of null.
    has_all = any(all(_has(row, column) for column in one.columns) for row in file.rows)
    return has_all and (not one.where or found_in(file.rows, one.where))


def _has(row: Mapping[str, Any], column: str) -> bool:
    return any(_has_path(row, spelling.split(".")) for spelling in column.split("|"))


def _has_path(value: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def found_in(rows: Iterable[Mapping[str, Any]], path: str) -> bool:
    """Tell whether a JMESPath finds something that is not empty, and not false, in one of the rows."""
    reference = compile_path(path, Table("preset", "", {}), "path")
    values = (reference.read(row) for row in rows)
    return any(value is not False and not is_empty(value) for value in values)


def _plain_name(name: str) -> str:
    """Return a name in the form in which columns are compared: only lower-case letters and digits."""
    return "".join(char for char in name.lower() if char.isalnum())


def column_of(column: str, columns: Iterable[str]) -> str | None:
    """Return how a file spells a column, or None if it does not have it; `|` stands between spellings."""
    wanted = [_plain_name(spelling) for spelling in column.split("|")]
    by_name = {_plain_name(name): name for name in reversed(tuple(columns))}
    return next((by_name[name] for name in wanted if name in by_name), None)


# --- nothing fits ---


def _nothing_found(preset: Preset, path: Path, export: SourceExport) -> str:
    first, *others = preset.inputs
    columns = ", ".join(column.replace("|", " or ") for column in first.columns)
    looked = f"looked for {first.name} (rows with {columns})"
    if others:
        looked += f", and for {', '.join(one.name for one in others)}"
    found = [f"{file.path} has {_some(file.columns) or 'no rows'}" for file in export.unknown[:_MOST_SHOWN]]
    found += [f"{one}: {why}" for one, why in export.unread[: _MOST_SHOWN - len(found)]]
    fix = f"name the folder of the export ({first.get}), or draft a mapping with `bulkgladly map init FILE --to OBJECT`"
    if fitting := _fitting_system(preset, export.unknown):
        fix = f"for a {fitting.title} export, pass --from {fitting.name}"
    there = "; ".join(found) or "the folder is empty"
    return f"{path}: no file here is part of a {preset.title} export; {looked}; {there}; {fix}"


def _fitting_system(preset: Preset, files: Iterable[SourceFile]) -> Preset | None:
    """Return the system of which one of the files is the first and most needed input."""
    others = [load_preset(name) for name in preset_names() if name != preset.name]
    fitting = [
        (len(other.inputs[0].columns), other) for file in files for other in others if _fits(other.inputs[0], file)
    ]
    return max(fitting, key=lambda one: one[0], default=(0, None))[1]


def _some(columns: Sequence[str]) -> str:
    return ", ".join(columns[:_MOST_SHOWN]) + (", ..." if len(columns) > _MOST_SHOWN else "")
