"""For which parents objects are requested: ids or addresses from a file, or from the rows of a data set."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkgladly.errors import InputError, UsageError
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.worklist import ParentToAsk
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.opening import open_reader
from bulkgladly.files.sources import Source
from bulkgladly.gladly.exports import IdColumn, LiveExport, is_askable
from bulkgladly.gladly.table import LIVE_EXPORTS
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.published_rows import values_in
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lines import BOM, cut_lines
from bulkgladly.records import place_of_row

__all__ = ("Skipped", "demand_parents", "parents_of", "source_of")

_MOST_TEXT_BYTES = 10_000


class Skipped:
    """Counts values that cannot be requested, and remembers where the first one was, but never the value."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def note(self, where: str) -> None:
        """Count one."""
        self.count += 1
        self.first = self.first or where


def demand_parents(row: LiveExport, options: ExportOptions) -> None:
    """Check that the options name parents for this export.

    Raises:
        UsageError: They do not, or in a way that this export does not support.
        InputError: The file of ids or addresses does not exist.
    """
    if options.emails is not None and row.by_address is None:
        first = " or ".join(word for word, other in LIVE_EXPORTS.items() if other.by_address is not None)
        raise UsageError(
            f"{row.word} cannot be exported by --emails: export {first} by --emails first, then {row.word} with "
            "--from-dataset"
        )
    for named in (options.ids, options.emails):
        # Before the run, so that a mistyped name leaves nothing to resume.
        if named is not None and not named.exists():
            raise InputError(f"{named}: no such file")
    is_named = options.ids is not None or options.emails is not None or options.from_dataset is not None
    if not is_named and not row.asks_itself:
        more = ", --emails FILE" if row.by_address is not None else ""
        raise UsageError(
            f"{row.word} can only be requested per {row.parent.value}: pass --ids FILE{more} or --from-dataset DIR"
        )


def parents_of(row: LiveExport, context: Context, skipped: Skipped) -> Iterator[ParentToAsk]:
    """Yield the parents that the options name, possibly several times; memory stays bounded.

    Values that cannot be requested are counted in `skipped`.

    Raises:
        InputError: The file, or a part of the data set, cannot be read.
        UsageError: The folder is not a data set, or has no rows that name such parents.
    """
    options = context.options
    if options.emails is not None and row.by_address is not None:
        for _, asked in _texts_in(options.emails, row.by_address.address_columns, skipped):
            yield ParentToAsk(_email_key(asked), asked)
    elif options.ids is not None:
        for where, asked in _texts_in(options.ids, row.id_columns, skipped):
            if not is_askable(asked):
                skipped.note(where)
                continue
            yield from (ParentToAsk(key, key) for key in row.keys_of(asked, None))
    else:
        yield from _in_data_set(row, source_of(context), skipped)


def source_of(context: Context) -> DataFolder:
    """Return the data set that names the parents: the one of `from_dataset`, or the one that is written.

    Raises:
        UsageError: There is none.
    """
    other = context.options.from_dataset
    return DataFolder.open(other) if other is not None else context.folder


def _in_data_set(row: LiveExport, folder: DataFolder, skipped: Skipped) -> Iterator[ParentToAsk]:
    columns = row.ids_from
    # One of the data sets is enough. Only if all are missing, nothing could ever be found, which is a mistake.
    present = set(folder.data_sets())
    if not any(column.data_set in present for column in columns):
        wanted = " or ".join(dict.fromkeys(column.data_set for column in columns))
        raise UsageError(f"{folder.path} has no {wanted} to take ids from; export that first")
    for column in columns:
        for asked, language, changed in _ids_in(folder, column):
            if not is_askable(asked):
                skipped.note(f"{column.data_set}.{column.id}")
                continue
            yield from (ParentToAsk(key, key, changed) for key in row.keys_of(asked, language))


def _ids_in(folder: DataFolder, column: IdColumn) -> Iterator[tuple[str, str | None, int]]:
    """Yield ids with their language and when they were last active; a repeated id within a batch comes once."""
    typed = DATA_SETS[column.data_set].kind_column if column.of_types else None
    names = [name for name in (column.id, column.changed, column.language, typed) if name is not None]
    for rows in values_in(folder, column.data_set, names):
        latest: dict[tuple[str, str | None], int] = {}
        for values in rows:
            found = dict(zip(names, values, strict=True))
            if found[column.id] is None or (typed and found[typed] not in column.of_types):
                continue
            one = found[column.id], found[column.language] if column.language else None
            changed = found[column.changed] if column.changed else None
            latest[one] = max(latest.get(one, 0), changed or 0)
        yield from ((asked, language, changed) for (asked, language), changed in latest.items())


def _email_key(address: str) -> str:
    """Return a key for an address, for journals and manifests, which must not hold personal data."""
    return "email~" + hashlib.blake2b(address.lower().encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _texts_in(path: Path, names: Sequence[str], skipped: Skipped) -> Iterator[tuple[str, str]]:
    """Yield each text with its position: a line of a .txt file, or a cell of any format that can be read."""
    # Without a suffix a file is text, as a list of ids usually is.
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".zst")]
    read: Callable[..., Iterator[tuple[str, str | None]]] = _lines_of if suffixes[-1:] in ([".txt"], []) else _cells_of
    for where, text in read(path, names):
        if text:
            yield where, text
        elif text is None:
            skipped.note(where)


def _lines_of(path: Path, names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the lines; one that is not text is None, and a blank one is empty."""
    del names
    source = Source(path)
    source.head()
    with source.open() as stream:
        for number, (offset, line, is_whole) in enumerate(cut_lines(stream, max_line_bytes=_MOST_TEXT_BYTES), 1):
            text = line.removeprefix(BOM) if not offset else line
            try:
                yield f"{path}:{number}", text.decode().strip() if is_whole else None
            except UnicodeDecodeError:
                yield f"{path}:{number}", None


def _cells_of(path: Path, names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield for each row the first of its cells in these columns, or None."""
    reader = open_reader(path, 0, ReadOptions())
    columns = reader.columns()
    if columns is not None and not set(columns) & set(names):
        raise UsageError(
            f"{path} has no column {' or '.join(names)}; rename one, or pass a .txt file with one per line"
        )
    for batch in reader.batches():
        for row in batch:
            fields: Mapping[str, Any] = row.fields or {}
            text = next((fields[name] for name in names if fields.get(name)), None)
            yield place_of_row(str(path), row.position.number), text.strip() or None if isinstance(text, str) else None
