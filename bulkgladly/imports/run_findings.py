"""What a run has to tell at its end: its result files, why rows did not arrive, its inputs and its settings."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bulkgladly.files.inputs import Inputs
from bulkgladly.imports.fixes import UNKNOWN_FIX, fix_for
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_page import Reason
from bulkgladly.imports.reject_reasons import SPLIT_CODE, reason_for
from bulkgladly.imports.result_tables import write_tables
from bulkgladly.journal.reject_groups import (
    RejectGroup,
    dropped_by_field,
    groups_of_rejects,
    repeats,
    skipped_by_code,
)
from bulkgladly.journal.results import ResultFile, rejects_by_code, write_results
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Problem, Row, Stage, Word
from bulkgladly.runs.options import changed_settings, restored, stored

__all__ = ("RunFindings", "about_file", "findings_in", "names_of_inputs", "reasons_in", "settings_told")


class RunFindings(NamedTuple):
    """What the journal tells at the end of a run, as fields of the report."""

    files: Mapping[str, Mapping[str, Any]] = {}
    rejects_by_code: Mapping[str, int] = {}
    rows: int = 0
    reasons: tuple[Reason, ...] = ()
    skipped_by_code: Mapping[str, int] = {}
    repeats: int = 0
    dropped_values: int = 0
    dropped_by_field: Mapping[str, int] = {}


def findings_in(
    folder: Path, inputs: Inputs, unprocessed: Iterable[Row], count_rows: Callable[[Path], int]
) -> RunFindings:
    """Write the result files, and return them with what the journal tells.

    `unprocessed` yields the rows without an outcome; `count_rows` is called after that, and returns the rows of input.

    Raises:
        DiskFull, JournalDamaged, JournalError: They cannot be written, or the journal cannot be read.
    """
    names = [str(file.path) for file in inputs.files]
    files = write_results(folder, names, unprocessed) + write_tables(folder, inputs)
    dropped = dropped_by_field(folder)
    return RunFindings(
        files={Path(file.path).name: about_file(file) for file in files},
        rejects_by_code=rejects_by_code(folder),
        rows=count_rows(folder),
        reasons=reasons_in(folder, names),
        skipped_by_code=skipped_by_code(folder),
        repeats=repeats(folder),
        dropped_values=sum(dropped.values()),
        dropped_by_field=dropped,
    )


def reasons_in(folder: Path, names: Sequence[str]) -> tuple[Reason, ...]:
    """Return why rows of a run did not arrive so far, the most frequent reason first; `names` are those of its inputs.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    return tuple(_reason(group, names) for group in groups_of_rejects(folder, split=SPLIT_CODE))


def _reason(group: RejectGroup, names: Sequence[str]) -> Reason:
    is_unknown = group.word == Word.UNKNOWN
    kind, _, fix = group.kind.partition("; ")
    problem = Problem(group.code, "", stage=Stage(group.stage) if group.stage else Stage.CHECK)
    return Reason(
        code=group.code,
        outcome=group.word,
        reason=reason_for("unsettled" if is_unknown else group.code, group.stage, kind),
        fix=UNKNOWN_FIX if is_unknown else fix or fix_for(problem),
        records=group.number,
        examples=tuple({"file": names[at.file], "line": at.number, "field": at.field} for at in group.first),
    )


def settings_told(folder: RunFolder) -> dict[str, Any]:
    """Return mode and rate, and the settings that differ from the defaults."""
    settings = folder.header().settings
    changed = changed_settings(settings, stored(ImportOptions()))
    rate = restored(ImportOptions, settings, folder.state_dir).pace.expected_per_second()
    changed["map"] = changed.pop("file", None)
    changed["plan"] = changed.pop("folder", None)
    owners = changed.pop("owners", ())
    changed["owner"] = ", ".join(f"{field}={owner}" for field, owner in owners) or None
    named = {
        name: value
        for name, value in changed.items()
        if name not in ("unlimited", "mode", "rate") and value is not None
    }
    return {"mode": settings.get("mode"), "rate": "unlimited" if math.isinf(rate) else rate, **named}


def names_of_inputs(folder: RunFolder) -> tuple[str, ...]:
    """Return what people call the inputs of a run: the copy of the standard input is in its folder, as are rejects."""
    header = folder.header()
    own = str(folder.path.absolute())
    return tuple(
        _own_name(Path(item.path).name) if str(Path(item.path).absolute().parent) == own else item.path
        for item in header.inputs
    )


def _own_name(name: str) -> str:
    return "the standard input" if name.startswith("stdin.") else name


def about_file(file: ResultFile) -> dict[str, Any]:
    """Return a result file as reports name it."""
    return {"path": file.path, "rows": file.rows, "bytes": file.size, "blake2b": file.digest}
