"""The files that a verification reads again: those of a run or a plan, where they are now and as they were then."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.files.inputs import Inputs
from bulkgladly.files.opening import files_of
from bulkgladly.gladly.proofs import Proof
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.import_inputs import hashed, open_inputs, refuse_changed
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import unchanged_mapping, what_changed
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.journal.verdicts import VERIFY
from bulkgladly.plans.plan_folder import PlanInfo
from bulkgladly.storage.durable import hash_of
from bulkgladly.verification.verify_options import words_of_rows

__all__ = ("files_as_read", "inputs_of_plan", "inputs_of_run", "uncompared_columns")

_NEW_PLACE = "NEW-FOLDER"
"""Stands in a command for what only a person knows."""
_MOST_NAMED = 3
_SAMPLE_ROWS = 1000


def inputs_of_run(
    run: RunFolder, header: RunHeader, spec: ImportSpec, options: ImportOptions, *, moved: Sequence[str] = ()
) -> Inputs:
    """Open the inputs of a run again, as they were when it began. `moved` are files that are elsewhere now.

    Raises:
        InputChanged: A file or the mapping is not as it was.
        UsageError: A file is gone; or one of `moved` is not an input of the run.
    """

    def command(paths: Sequence[str]) -> str:
        if header.mode == VERIFY and header.parent is None:
            return _command(run, words_of_rows(spec, header, options, paths=[*_there(header.inputs), *paths]))
        return _command(run, [header.parent if header.mode == VERIFY and header.parent else run.name, *paths])

    def as_it_is(paths: Sequence[str] | None = None) -> str:
        words = _command(run, words_of_rows(spec, header, options, paths=paths))
        return f"compare Gladly with the files as they are now: `{words}`"

    places = _places(header.inputs, moved, f"run {run.name}", command, as_it_is)
    if options.mapping is not None:
        now = unchanged_mapping(options.mapping, accept_changed=True)
        if (changed := what_changed(options.mapping, now)) is not None:
            again = as_it_is([str(path) for path in places])
            raise InputChanged(f"{changed} has changed since run {run.name} began; restore the old one, or {again}")
    inputs = open_inputs(spec, [str(path) for path in places], options)
    try:
        refuse_changed(header, inputs)
    except InputChanged as error:
        path = str(error).partition(" has changed since ")[0]
        raise InputChanged(
            f"{path} has changed since run {run.name} began; restore the old file, or {as_it_is()}"
        ) from error
    return inputs


def inputs_of_plan(
    folder: Path, plan: PlanInfo, spec: ImportSpec, options: ImportOptions, *, moved: Sequence[str] = ()
) -> Inputs:
    """Open the inputs of a plan again, as they were when it was made. `moved` are files that are elsewhere now.

    Raises:
        InputChanged: A file or the mapping is not as it was.
        UsageError: A file is gone; or one of `moved` is not an input of the plan.
    """
    if options.mapping is not None:
        changed = what_changed(options.mapping, unchanged_mapping(options.mapping, accept_changed=True))
        if changed is not None:
            raise InputChanged(f"{changed} has changed since it was planned; restore the old one, or plan again")
    places = _places(
        plan.inputs,
        moved,
        str(folder),
        lambda paths: next_command("verify", folder, *paths, connects=True),
        lambda _: f"compare Gladly with it as a file of {spec.name}: `bulkgladly verify {spec.name} FILE`",
    )
    inputs = open_inputs(spec, [str(path) for path in places], options)
    now = hashed(inputs)
    for planned, file in zip(plan.inputs, now, strict=True):
        if planned.digest != file.digest:
            raise InputChanged(f"{planned.path} has changed since it was planned; restore the old file, or plan again")
    return inputs


def files_as_read(was: Iterable[InputFile], inputs: Inputs) -> list[InputFile]:
    """Return the files of a run or a plan as they are found now, for `run.json`; their content is that of then."""
    return [
        InputFile(str(file.path.absolute()), file.size, file.mtime_ns, then.digest)
        for then, file in zip(was, inputs.files, strict=True)
    ]


def uncompared_columns(spec: ImportSpec, proof: Proof, inputs: Inputs) -> tuple[str, ...]:
    """Return the columns of the rows that are not compared: Gladly never shows them, or sets them itself.

    Only columns that the files have are named. In JSON each row has its own, so the first rows are looked at.
    """
    headers = [reader.columns() for reader in inputs.readers] if inputs.expand is None else [None]
    names = {name for header in headers for name in header or ()}
    if None in headers:
        names |= {name for row in inputs.sample(_SAMPLE_ROWS) for name in row.fields or ()}
    has = {name.partition(":")[0].partition(".")[0] for name in names}
    return tuple(name for name in (*proof.hidden, *spec.columns.read_only) if name in has)


def _command(run: RunFolder, words: Sequence[str]) -> str:
    return next_command("verify", *words, state_dir=run.state_dir, connects=True)


def _there(inputs: Iterable[InputFile]) -> list[str]:
    return [item.path for item in inputs if Path(item.path).is_file()]


def _places(
    inputs: Sequence[InputFile],
    moved: Sequence[str],
    owner: str,
    command: Callable[[Sequence[str]], str],
    as_it_is: Callable[[Sequence[str]], str],
) -> list[Path]:
    """Return where each input is now: at its path, or at that of a moved file with its content."""
    found = _by_content(moved)
    places: list[Path] = []
    for item in inputs:
        same = found.get(item.digest)
        places.append(same.pop(0) if same else Path(item.path))
    if stranger := next((path for paths in found.values() for path in paths), None):
        raise UsageError(
            f"{stranger} is not an input of {owner}: its content is another; omit it, or {as_it_is([str(stranger)])}"
        )
    gone = [str(path) for path in places if not path.is_file()]
    if gone:
        names = ", ".join(gone[:_MOST_NAMED]) + (f" and {len(gone) - _MOST_NAMED} more" if gone[_MOST_NAMED:] else "")
        what = "an input" if len(gone) == 1 else "inputs"
        verb = "does" if len(gone) == 1 else "do"
        new = command([f"{_NEW_PLACE}/{Path(path).name}" for path in gone])
        raise UsageError(
            f"{names}, {what} of {owner}, {verb} not exist any more; move the files back, or say where they are now: "
            f"`{new}`"
        )
    return places


def _by_content(moved: Sequence[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in files_of(moved) if moved else ():
        try:
            found.setdefault(hash_of(path), []).append(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}; name the file that was moved") from error
    return found
