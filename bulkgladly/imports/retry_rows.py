"""Which rejects a repeat can help, and what to do about the others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import orjson

from bulkgladly.commands import next_command
from bulkgladly.gladly.spec import Draft, ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.drafts import Preparer
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import mapper_for
from bulkgladly.imports.result_tables import REJECTED_TABLES
from bulkgladly.journal.results import RejectedRow, count_rejects
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Mode, Part, Row
from bulkgladly.runs.options import restored

__all__ = (
    "RejectKinds",
    "can_pass_with",
    "corrected_import",
    "import_again",
    "kinds_of_rejects",
    "plan_again",
)

_LATER = ("unknown_key", "unknown_name", "ambiguous_name", "disabled_name", "phone_region")
"""Codes of rows that were refused before anything was sent, and may pass once something else has changed."""
_CLASHES = ("duplicate_key", "duplicate_address")
_TO_SETTLE = ("update", "merge", "skip")


class RejectKinds(NamedTuple):
    """How many rejects of a run may pass when they are sent again, how many have to be corrected, or planned, first."""

    may_pass: int
    to_correct: int
    to_plan: int = 0


def kinds_of_rejects(folder: RunFolder) -> RejectKinds:
    """Return what kinds of rejects a run has, as far as their codes say it."""
    header = folder.header()
    # What can only be created stays as it is in Gladly, whatever is sent.
    stays = {"taken"} if Mode.UPDATE not in import_spec(header.resource).procedures else set()
    # With a country, what is left are numbers that can be read in two ways.
    later = {*_LATER} - ({"phone_region"} if header.settings.get("phone_region") else set())
    may_pass = to_correct = to_plan = 0
    for word, stage, code, number in count_rejects(folder.path):
        if (stage, code) == ("conflict", "moved"):
            to_plan += number  # to import them would write over what a plan was to protect
        elif word == "unknown" or (stage in ("conflict", "api") and code not in stays) or code in later:
            may_pass += number
        else:
            to_correct += number
    return RejectKinds(may_pass, to_correct, to_plan)


def can_pass_with(options: ImportOptions, spec: ImportSpec, host: str) -> Callable[[RejectedRow], bool]:
    """Return what tells whether a row that was refused before anything was sent would be sent with these options.

    Each row is prepared again as in an import, with the mapping as it is now. One that has the address of another row
    is refused by Gladly if it comes alone, unless a policy says what to do then.
    """
    preparer = Preparer(spec, options.policy(host), options.ignore_columns)
    mapper = mapper_for(options.mapping, spec, options.key, drops=options.drops)

    def can_pass(rejected: RejectedRow) -> bool:
        if rejected.code in _CLASHES:
            return rejected.code == "duplicate_key" or options.on_conflict in _TO_SETTLE
        fields = orjson.loads(rejected.original)
        note = fields.pop("_bulkgladly", {})
        part = Part(note["part"], note["of"]) if "part" in note and "of" in note else None
        row = Row(rejected.position, fields, part=part)
        rows = [row] if mapper is None else mapper(row)
        return any(isinstance(preparer.draft_of(one), Draft) for one in rows)

    return can_pass


def corrected_import(folder: RunFolder) -> tuple[str, str]:
    """Return the files of rejects that people correct, and the command that imports them."""
    header = folder.header()
    spec, options = import_spec(header.resource), _options_of(folder)
    # Inputs with different headers have a table each.
    paths = sorted(folder.path.glob(REJECTED_TABLES), key=lambda path: (len(path.name), path.name))
    # The table of rejects begins with its header, whatever stood before that of the input.
    reading = options.reading if options.reading.skip_lines is None else replace(options.reading, skip_lines=0)
    # The rejects of an Excel file are a CSV file.
    reading = replace(reading, sheet=None, format=None if reading.format == "xlsx" else reading.format)
    flags = reading.flags() if paths else []
    paths = paths or [folder.path / "rejected.ndjson"]
    words: list[str | Path] = ["import", spec.name, *paths, *options.flags(spec), *flags]
    return " and ".join(map(str, paths)), next_command(*words, state_dir=folder.state_dir, connects=True)


def plan_again(folder: RunFolder) -> str:
    """Return the command that plans the files of an applied plan again, by what Gladly holds now."""
    header = folder.header()
    spec, options = import_spec(header.resource), _options_of(folder)
    out = Path(options.plan.folder if options.plan is not None else f"{spec.name}.plan")
    words: list[str | Path] = ["plan", spec.name, *(item.path for item in header.inputs), *options.flags(spec)]
    words += [*options.reading.flags(), "--live", "--out", out.with_name(f"{out.stem}-again.plan")]
    return next_command(*words, state_dir=folder.state_dir, connects=True)


def import_again(folder: RunFolder, *flags: str) -> str:
    """Return the command that imports the files of a run again, from the start and with these flags."""
    header = folder.header()
    spec, options = import_spec(header.resource), _options_of(folder)
    words = ["import", spec.name, *(item.path for item in header.inputs), *options.flags(spec)]
    words += [*options.reading.flags(), *flags, "--new-run"]
    return next_command(*words, state_dir=folder.state_dir, connects=True)


def _options_of(folder: RunFolder) -> ImportOptions:
    return restored(ImportOptions, folder.header().settings, folder.state_dir)
