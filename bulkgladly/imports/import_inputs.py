"""The files of an import before anything is sent: opened, hashed, and looked at for what cannot work."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.files.columns import unknown_columns
from bulkgladly.files.inputs import Inputs, spool
from bulkgladly.files.layouts import suggestion
from bulkgladly.gladly.spec import ResourceSpec
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import check_mapped_columns, mapper_for, refuse_cut_identity
from bulkgladly.journal.run_header import InputFile, RunHeader

__all__ = (
    "MakeInput",
    "copy_of_stdin",
    "hashed",
    "open_checked",
    "open_inputs",
    "refuse_changed",
    "refuse_to_contact",
)

MakeInput = Callable[[Path], Path]
"""Writes the input into a folder, and returns the file."""

SAMPLE_ROWS = 1000


def open_inputs(spec: ResourceSpec, patterns: Sequence[str], options: ImportOptions) -> Inputs:
    """Open the files of an import; its rows are those that its mapping makes, if it has one.

    Raises:
        UsageError: A file or the mapping cannot be used.
    """
    return Inputs.open(patterns, options.reading, expand=mapper_for(options.mapping, spec, options.key))


def open_checked(spec: ResourceSpec, patterns: Sequence[str], options: ImportOptions) -> Inputs:
    """Open the files of an import, and check their columns before anything is sent.

    Raises:
        InputError: A file cannot be used.
        UsageError: A column is unknown, or the mapping cannot be used; the message names the column, the file
            and the fix.
    """
    inputs = open_inputs(spec, patterns, options)
    _check_columns(spec, inputs, options)
    return inputs


def _check_columns(spec: ResourceSpec, inputs: Inputs, options: ImportOptions) -> None:
    # A header says it all; of JSON, where each row has keys of its own, the first rows are read.
    if options.mapping is not None:
        refuse_cut_identity(options.mapping, spec)
        check_mapped_columns(options.mapping, inputs.readers, options.key)
        return
    extra = (options.key,) if options.key else ()
    for reader in inputs.readers:
        columns = reader.columns()
        if columns is None:
            rows = reader.sample(SAMPLE_ROWS)
            columns = tuple(dict.fromkeys(name for row in rows if row.fields for name in row.fields))
        elif options.key and options.key not in columns:
            raise UsageError(f"{reader.path}: there is no column {options.key}, which --key names")
        unknown = unknown_columns(columns, spec.columns, options.ignore_columns, extra_known=extra)
        if unknown:
            hints = [suggestion(name, spec.columns) for name in unknown[:5]]
            named = ", ".join(
                f"{name} (did you mean {hint}?)" if hint else name
                for name, hint in zip(unknown[:5], hints, strict=True)
            )
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            raise UsageError(
                f"{reader.path}: {spec.name} have no column {named}{more}; {_column_advice(spec)}. "
                f"`bulkgladly schema show {spec.name}` lists the columns"
            )


def _column_advice(spec: ResourceSpec) -> str:
    if spec.columns.open_map is None:
        return "rename it, or leave it out with --ignore-columns"
    return "rename it, name it customAttribute:<key>, or leave it out with --ignore-columns"


def copy_of_stdin(patterns: Sequence[str], stdin: BinaryIO | None, options: ImportOptions) -> MakeInput | None:
    """Return what copies the standard input to a file, where `patterns` is `-`; None where it names files.

    Raises:
        UsageError: `-` stands beside files; or, from what is returned, there is no standard input.
    """
    if list(patterns) == ["-"]:
        return partial(_spooled, stdin, options)
    if "-" in patterns:
        raise UsageError("`-` (the standard input) cannot be joined with files; import them one after the other")
    return None


def _spooled(stdin: BinaryIO | None, options: ImportOptions, folder: Path) -> Path:
    if stdin is None:
        raise UsageError("`-` reads the standard input, and there is none")
    path = folder / f"stdin.{options.reading.format or 'ndjson'}"
    spool(stdin, path)
    return path


def hashed(inputs: Inputs) -> list[InputFile]:
    """Return the files as `run.json` keeps them; reads all of each."""
    return [InputFile(str(file.path.absolute()), file.size, file.mtime_ns, file.fingerprint()) for file in inputs.files]


def refuse_changed(header: RunHeader, inputs: Inputs) -> None:
    """Make sure that the files are those that a run began with.

    Size and time are compared first, and the content only where these differ.

    Raises:
        InputChanged: One has another content.
    """
    pairs = zip(header.inputs, inputs.files, strict=True)
    if all(was.size == now.size and was.mtime_ns == now.mtime_ns for was, now in pairs):
        return
    for was, now in zip(header.inputs, hashed(inputs), strict=True):
        if was.digest != now.digest:
            raise InputChanged(
                f"{was.path} has changed since run {header.run} began; put the old file back, start again with "
                "--new-run, or go on at your own risk with --accept-changed-input"
            )


def refuse_to_contact(spec: ResourceSpec, inputs: Inputs, options: ImportOptions) -> None:
    """Refuse to send messages to people without an explicit flag.

    Raises:
        UsageError: The rows would, and the options do not allow it.
    """
    if not spec.contacts_people or options.contacts_people:
        return
    rows, is_exact = inputs.estimate_rows()
    raise UsageError(
        f"each row of {spec.name} {spec.contacts_people}, {'' if is_exact else 'about '}{rows:,} times in all, and "
        "nothing takes it back; if that is what you want, pass --i-know-this-contacts-people: one record is sent "
        "first, for you to look at"
    )
