"""Opens, hashes and checks the files of an import before anything is sent."""

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from bulkgladly.choices import closest
from bulkgladly.commands import next_command
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.files.columns import unknown_columns
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.csv_files import refuse_wrong_delimiter
from bulkgladly.files.inputs import Inputs, spool
from bulkgladly.files.layouts import suggestion
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import check_mapped_columns, mapper_for, reading_for, refuse_cut_identity
from bulkgladly.imports.overwriting import refuse_unknown_attributes
from bulkgladly.journal.run_header import InputFile, RunHeader

__all__ = (
    "MakeInput",
    "copy_of_stdin",
    "hashed",
    "open_checked",
    "open_inputs",
    "open_passing",
    "passing_files",
    "refuse_changed",
    "refuse_to_contact",
)

MakeInput = Callable[[Path], Path]
"""Writes the input into a folder, and returns the file."""

SAMPLE_ROWS = 1000
_MANY_COLUMNS = 3


def open_inputs(
    spec: ImportSpec, patterns: Sequence[str], options: ImportOptions, *, names: Sequence[str] | None = None
) -> Inputs:
    """Open the files of an import; with a mapping, its rows are those that the mapping makes.

    `names` are for people, if the paths would mislead them.

    Raises:
        UsageError: A file or the mapping cannot be used.
    """
    expand = mapper_for(options.mapping, spec, options.key, drops=options.drops)
    return Inputs.open(patterns, reading_for(options.mapping, options.reading), expand=expand, names=names)


def open_checked(
    spec: ImportSpec, patterns: Sequence[str], options: ImportOptions, *, names: Sequence[str] | None = None
) -> Inputs:
    """Open the files of an import, and check their columns before anything is sent.

    Raises:
        InputError: A file cannot be used.
        UsageError: A column is unknown, or the mapping cannot be used; the message names the column, the file
            and the fix.
    """
    inputs = open_inputs(spec, patterns, options, names=names)
    if options.is_complete and (partial := next((one for one in inputs.readers if one.has_rejects), None)):
        what = "holds only the rows that a run has rejected, so it is not complete"
        raise UsageError(f"{partial.path}: {what}; import it without --complete")
    _check_columns(spec, inputs, options)
    refuse_unknown_attributes(options, inputs)
    return inputs


async def open_passing(
    spec: ImportSpec, patterns: Sequence[str], options: ImportOptions, stdin: BinaryIO | None, folder: Path
) -> Inputs:
    """Open the files as `open_checked` does, for one look at them; `-` is copied into a folder that is removed after.

    Messages must not send people to that folder, so the copy is called by its name alone: `stdin.csv`.
    """
    paths, names = await anyio.to_thread.run_sync(passing_files, patterns, options, stdin, folder)
    return open_checked(spec, paths, options, names=names)


def passing_files(
    patterns: Sequence[str], options: ImportOptions, stdin: BinaryIO | None, folder: Path
) -> tuple[Sequence[str], Sequence[str] | None]:
    """Return the files to open for one look, and the names for people if these differ: `-` is copied into a folder.

    Raises:
        UsageError: `-` is combined with files, or there is no standard input.
    """
    if (make_input := copy_of_stdin(patterns, stdin, options)) is None:
        return patterns, None
    path = make_input(folder)
    return [str(path)], (path.name,)


def _check_columns(spec: ImportSpec, inputs: Inputs, options: ImportOptions) -> None:
    # A header has all columns. In JSON each row has its own keys, so the first rows are read.
    if options.mapping is not None:
        refuse_cut_identity(options.mapping, spec)
        check_mapped_columns(options.mapping, inputs.readers, options.key)
        return
    extra = (options.key,) if options.key else ()
    for file, reader in zip(inputs.names, inputs.readers, strict=True):
        columns = reader.columns()
        if columns is None:
            rows = reader.sample(SAMPLE_ROWS)
            columns = tuple(dict.fromkeys(name for row in rows if row.fields for name in row.fields))
        elif options.key and options.key not in columns:
            refuse_wrong_delimiter(reader, file)
            raise UsageError(f"{file}: no column {options.key}, which --key names{_key_advice(options.key, columns)}")
        unknown = unknown_columns(columns, spec.columns, options.ignore_columns, extra_known=extra)
        if unknown:
            refuse_wrong_delimiter(reader, file)
            hints = [suggestion(name, spec.columns) for name in unknown[:5]]
            named = ", ".join(
                f"{name} (did you mean {hint}?)" if hint else name
                for name, hint in zip(unknown[:5], hints, strict=True)
            )
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            # A copy of the standard input is removed before anybody could draft from it.
            is_kept = file == str(reader.path)
            mapping = _mapping_advice(spec, reader.path, unknown, options.reading) if is_kept else ""
            raise UsageError(
                f"{file}: {spec.name} have no column {named}{more}; {_column_advice(spec)}. "
                f"`bulkgladly schema show {spec.name}` lists the columns{mapping}"
            )


def _key_advice(key: str, columns: Sequence[str]) -> str:
    bare = {column.strip(" \t\xa0\ufeff").casefold(): column for column in columns}
    meant = bare.get(key.strip().casefold()) or closest(key, columns)
    return f"; did you mean --key {shlex.quote(meant)}?" if meant else ""


def _column_advice(spec: ImportSpec) -> str:
    if spec.columns.open_map is None:
        return "rename it, or leave it out with --ignore-columns"
    return "rename it, name it customAttribute:<key>, or leave it out with --ignore-columns"


def _mapping_advice(spec: ImportSpec, path: Path, unknown: Sequence[str], reading: ReadOptions) -> str:
    # To rename one or two columns is easier than to write a mapping.
    if len(unknown) < _MANY_COLUMNS:
        return ""
    command = next_command("map", "init", path, "--to", spec.name, "--out", f"{spec.name}.toml", *reading.flags())
    return f"; `{command}` drafts a mapping from yours to them"


def copy_of_stdin(patterns: Sequence[str], stdin: BinaryIO | None, options: ImportOptions) -> MakeInput | None:
    """Return a function that copies the standard input to a file, if `patterns` is `-`; else None.

    Raises:
        UsageError: `-` is combined with files; or, from the function, there is no standard input.
    """
    if list(patterns) == ["-"]:
        return partial(_spooled, stdin, options)
    if "-" in patterns:
        raise UsageError("`-` (the standard input) cannot be combined with files; import them one after the other")
    return None


def _spooled(stdin: BinaryIO | None, options: ImportOptions, folder: Path) -> Path:
    if stdin is None:
        raise UsageError("`-` reads the standard input, but it is closed")
    path = folder / f"stdin.{options.reading.format or 'ndjson'}"
    spool(stdin, path)
    return path


def hashed(inputs: Inputs) -> list[InputFile]:
    """Return the files in the form of `run.json`; reads them completely."""
    return [InputFile(str(file.path.absolute()), file.size, file.mtime_ns, file.fingerprint()) for file in inputs.files]


def refuse_changed(header: RunHeader, inputs: Inputs) -> None:
    """Make sure that the files are those that a run began with.

    Size and time are compared first, and the content only if these differ.

    Raises:
        InputChanged: The content of a file has changed.
    """
    pairs = zip(header.inputs, inputs.files, strict=True)
    if all(was.size == now.size and was.mtime_ns == now.mtime_ns for was, now in pairs):
        return
    for was, now in zip(header.inputs, hashed(inputs), strict=True):
        if was.digest != now.digest:
            raise InputChanged(
                f"{was.path} has changed since run {header.run} began; restore the old file, start a new run with "
                "--new-run, or continue at your own risk with --accept-changed-input"
            )


def refuse_to_contact(spec: ImportSpec, inputs: Inputs, options: ImportOptions) -> None:
    """Refuse to send messages to people without an explicit flag.

    Raises:
        UsageError: The rows would send messages, and the options do not allow that.
    """
    if not spec.contacts_people or options.contacts_people:
        return
    rows, is_exact = inputs.estimate_rows()
    raise UsageError(
        f"each row of {spec.name} {spec.contacts_people}, {'' if is_exact else 'about '}{rows:,} times in all, and "
        "this cannot be undone; to send them, pass --i-know-this-contacts-people: one record is sent first, "
        "for you to check"
    )
