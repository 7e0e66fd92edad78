"""What to run after a verification: what shows why a row differs, and what helps against it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath

from bulkgladly.commands import next_command
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Mode, Position, place_of_row
from bulkgladly.runs.summary import Ending, resume_command
from bulkgladly.verification.verify_forget import can_forget
from bulkgladly.verification.verify_options import VerifyOptions, words_of_rows

__all__ = ("commands_after",)

_SAID_HERE = ("runs show", "verify", "undo")
"""Verbs of the commands that the verified run has named, and that are not repeated."""


def commands_after(
    folder: RunFolder,
    spec: ImportSpec,
    options: VerifyOptions,
    end: Ending,
    counts: Mapping[str, int],
    first: Position | None,
) -> tuple[str, ...]:
    """Return what to run next; `first` is the place of the first row that Gladly does not hold as it says."""
    commands: list[str] = []
    if end.status != "complete":
        commands.append(resume_command(folder))
    else:
        if counts["unreadable"]:
            commands.append(_verify_again(folder, spec, options))
        if first is not None:
            commands += _after_differences(folder, spec, options, counts, first)
        if options.run is not None and counts["not_sent"]:
            # What helps against its rejects is what the run itself has said.
            about = RunFolder(folder.path.parent / options.run).report() or {}
            said = about.get("next_commands", ())
            commands += [each for each in said if not any(f" {verb} " in each for verb in _SAID_HERE)]
    commands.append(next_command("runs", "show", folder.name, state_dir=folder.state_dir))
    return tuple(commands)


def _after_differences(
    folder: RunFolder, spec: ImportSpec, options: VerifyOptions, counts: Mapping[str, int], first: Position
) -> Iterator[str]:
    """Yield what shows why the first row differs, what writes it again, and what takes the run back instead."""
    mode = options.of_import().mode or Mode.UPSERT
    if options.run is not None:
        row = _row(folder, options.run, first)
        yield next_command("explain", options.run, row, state_dir=folder.state_dir, connects=True)
    if counts["merged"]:
        yield next_command("crosswalk", "repair", spec.name, state_dir=folder.state_dir, connects=True)
    if counts["different"] or counts["merged"]:
        if can_forget(spec, mode) and not options.forget:
            # An import remembers what it has sent, so without this it would not write it again.
            yield _verify_again(folder, spec, options, forget=True)
        elif can_forget(spec, mode):
            yield from _import_again(folder, spec, options)
    if options.run is not None and spec.reversal is not None and mode is not Mode.DELETE:
        yield next_command("undo", options.run, "--dry-run", state_dir=folder.state_dir, connects=True)


def _row(folder: RunFolder, run: str, at: Position) -> str:
    """Return a row of a run as `explain` takes it: with the name that the run knows its file by."""
    names = [item.path for item in RunFolder(folder.path.parent / run).header().inputs]
    short = [PurePath(name).name for name in names]
    name = (short if len(set(short)) == len(short) else names)[at.file]
    return place_of_row(name, at.number)


def _verify_again(folder: RunFolder, spec: ImportSpec, options: VerifyOptions, *, forget: bool = False) -> str:
    """Return the command that compares the same rows with Gladly again."""
    more = [*(("--sample", options.sample) if options.sample else ()), *(["--forget"] if forget else [])]
    if options.run is not None:
        return next_command("verify", options.run, *more, state_dir=folder.state_dir, connects=True)
    words = words_of_rows(spec, folder.header(), options.of_import())
    return next_command("verify", *words, *more, state_dir=folder.state_dir, connects=True)


def _import_again(folder: RunFolder, spec: ImportSpec, options: VerifyOptions) -> Iterator[str]:
    """Yield the commands that show what an import of the same rows would write now, and that import them again."""
    header, chosen = folder.header(), options.of_import()
    files = [item.path for item in header.inputs]
    for command, option, choice in (
        ("plan", "--live", replace(chosen, read_first=False)),
        ("import", "--new-run", replace(chosen, read_first=True)),
    ):
        words = (spec.name, *files, *choice.flags(spec), *chosen.reading.flags(), option)
        yield next_command(command, *words, state_dir=folder.state_dir, connects=True)
