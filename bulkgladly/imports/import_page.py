"""What an import tells people: the sentences of `report.md` and the lines of the closing summary.

Pure, and without values of the rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from bulkgladly.imports.missing_keys import MISSING
from bulkgladly.imports.reject_reasons import left_out
from bulkgladly.imports.result_tables import REJECTED_TABLES, WARNINGS
from bulkgladly.records import Word, numbered_by
from bulkgladly.runs.observer import counted, share_text
from bulkgladly.shown import MOST_NAME, shown, shown_cell

if TYPE_CHECKING:
    from bulkgladly.imports.import_summary import Report

__all__ = ("Reason", "detail_lines", "story_of", "title_of")

_BECAME: Mapping[str, tuple[str, str]] = {
    Word.CREATED: ("is new in Gladly", "are new in Gladly"),
    Word.UPDATED: ("was updated", "were updated"),
    Word.DELETED: ("was deleted", "were deleted"),
    Word.UNCHANGED: ("was in Gladly already, with the same values", "were in Gladly already, with the same values"),
}
_MOST_NAMED = 3
_MOST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why some records did not arrive, what to do, and the first of them: `file`, `line` and the `field` at fault."""

    code: str
    outcome: str
    reason: str
    fix: str
    records: int
    examples: tuple[Mapping[str, Any], ...]


def title_of(report: "Report") -> str:
    """Return what was loaded, from where to where."""
    files = shown_cell(_files_named(report.inputs))
    if PurePath(report.folder).parts[-3:-2] == ("rehearsals",):
        return f"Rehearsal, nothing was sent to Gladly: {report.resource} from {files}"
    planned = f", as planned in {shown_cell(PurePath(report.plan_applied).name)}" if report.plan_applied else ""
    how = "deleted in" if report.mode == "delete" else "to"
    return f"{report.resource.capitalize()} from {files} {how} Gladly{planned}"


def _files_named(inputs: Sequence[str]) -> str:
    names = [PurePath(name).name for name in inputs]
    if len(names) > _MOST_NAMED:
        return f"{names[0]} and {len(names) - 1} more files"
    return ", ".join(names) or "a file"


# --- the page ---


def story_of(report: "Report") -> list[str]:
    """Return the parts of the page that say what became of the rows, why, and who acts."""
    parts = [" ".join(_sentences(report))]
    if not report.adds_up:
        reason = shown_cell(report.reason or "please report this as a bug")
        parts.append(f"Not all rows are accounted for ({reason}).")
    if report.reasons:
        parts.append(_reasons_table(report))
    if report.dropped_values:
        fields = ", ".join(
            f"{number:,} in {shown_cell(name, MOST_NAME)}" for name, number in report.dropped_by_field.items()
        )
        left = f"{counted(report.dropped_values, 'value')} that {_is_are(report.dropped_values)} not valid"
        parts.append(
            f"{left} {_was_were(report.dropped_values)} left out of records that arrived ({fields}); see `{WARNINGS}`."
        )
    if actors := list(_actors(report)):
        parts.append("Who needs to act:\n\n" + "\n".join(f"- {line}" for line in actors))
    return parts


def _sentences(report: "Report") -> Iterable[str]:
    counts, read = report.counts, report.counts["read"]
    if not read:
        yield "The input has no rows."
        return
    noun = _noun(report)
    if noun == "record":
        yield f"{counted(report.rows, 'row')} made {counted(read, 'record')}."
    whole = f" of {counted(read, noun)}"
    for word, (one, several) in _BECAME.items():
        if number := counts[word]:
            yield f"{number:,}{whole} {one if number == 1 else several}."
            whole = ""
    if report.repeats:
        verb = "repeats" if report.repeats == 1 else "repeat"
        yield f"{counted(report.repeats, 'row')} {verb} the key of another one."
    lost: tuple[tuple[str, str], ...] = (
        (Word.REJECTED, "not accepted"),
        (Word.UNKNOWN, "sent without a response, so that it is not known whether they arrived"),
        ("unprocessed", "not reached yet"),
    )
    for word, what in lost:
        if number := counts[word]:
            yield f"{number:,} ({share_text(number, read)}) {_was_were(number)} {what}."
    if report.rejected_before:
        yield f"{_compared(report)}."
    for code, number in report.skipped_by_code.items():
        yield f"{number:,} {_was_were(number)} {left_out(code)}."
    if report.missing is not None:
        told = _missing(report, report.missing)
        yield f"{told[:1].upper()}{told[1:]}."


def _reasons_table(report: "Report") -> str:
    names = [PurePath(name).name for name in report.inputs]
    where = f"{numbered_by(names[0])}s of {shown_cell(names[0])}" if len(names) == 1 else "file and line"
    is_named = len(names) > 1
    cells = [(each.reason, f"{each.records:,}", each.fix, _places(each, named=is_named)) for each in report.reasons]
    rows = [f"| {' | '.join(map(shown_cell, row))} |" for row in cells]
    return f"| why | {_noun(report)}s | what to do | first ones ({where}) |\n|---|---:|---|---|\n" + "\n".join(rows)


def _places(reason: Reason, *, named: bool) -> str:
    places = [
        f"{PurePath(each['file']).name}:{each['line']}" if named else str(each["line"]) for each in reason.examples
    ]
    return ", ".join(dict.fromkeys(places))


def _actors(report: "Report") -> Iterable[str]:
    file = shown_cell(_files_named(report.inputs))
    names = table_names(report)
    tables = " and ".join(f"`{name}`" for name in names)
    say = "says" if len(names) == 1 else "say"
    if report.rows_to_correct:
        rows = counted(report.rows_to_correct, _noun(report))
        fix = f"correct {rows} in {tables}, which {say} what is wrong; then it can be imported"
        yield f"the owner of {file}: {fix}"
    may_pass = report.counts[Word.REJECTED] + report.counts[Word.UNKNOWN] - report.rows_to_correct
    if report.status != "complete":
        yield "the person who runs bulkgladly: continue with the first command below"
    elif may_pass > 0:
        yield f"the person who runs bulkgladly: send {counted(may_pass, _noun(report))} again, with the command below"


# --- the closing summary ---


def detail_lines(report: "Report") -> tuple[str, ...]:
    """Return lines for a terminal: each reason with its fix and first places, and what else was counted."""
    lines = [_reason_line(each, report) for each in report.reasons[:_MOST_LINES]]
    if more := report.reasons[_MOST_LINES:]:
        lines.append(f"{sum(each.records for each in more):,} x {counted(len(more), 'other reason')}; see report.md")
    if not report.reasons:  # an older report, or the journal could not be read
        lines = [f"{number:,} x {shown(code, MOST_NAME)}" for code, number in report.rejects_by_code.items()]
    if report.rejected_before:
        lines.append(_compared(report))
        lines += [f"new: {place}" for place in report.new_rejects]
    if report.missing is not None:
        lines.append(_missing(report, report.missing))
    if report.baseline is not None:
        lines.append(_baseline(report.baseline, is_rest=bool(report.interruptions)))
    if report.repeats:
        lines.append(f"{counted(report.repeats, 'row')} with the key of another row")
    lines += [f"{number:,} {left_out(code)}" for code, number in report.skipped_by_code.items()]
    if report.dropped_values:
        lines.append(f"{counted(report.dropped_values, 'value')} dropped because not valid; see {WARNINGS}")
    if report.rows_to_correct and (tables := table_names(report)):
        them = "it" if len(tables) == 1 else "them"
        what = counted(report.rows_to_correct, "reject")
        lines.append(f"{what} to correct: edit {' and '.join(tables)}, then import {them}")
    return tuple(lines)


def _reason_line(reason: Reason, report: "Report") -> str:
    named = len(report.inputs) > 1
    places = _places(reason, named=named)
    word = (
        "" if named else f"{numbered_by(report.inputs[0]) if report.inputs else 'line'}{'s' if ',' in places else ''} "
    )
    return shown(f"{reason.records:,} x {reason.reason} ({word}{places}): {reason.fix}", 1000)


# --- compared with earlier runs ---


def _compared(report: "Report") -> str:
    new = f"{report.rejected_new:,}" if report.rejected_new else "none"
    return f"{report.rejected_before:,} rejected as last time, {new} new"


def _missing(report: "Report", missing: int) -> str:
    if not missing:
        return "nothing is missing: the files have all that earlier runs have sent"
    doubt = f" ({counted(report.rejects_without_key, 'rejected row')} without a key may be among them)"
    told = f"{counted(missing, 'record')} of earlier runs {_is_are(missing)} not in these files; see {MISSING}"
    if report.missing_run is not None:
        done = report.missing_deleted or 0
        told += f"; run {report.missing_run} deleted {done:,} of the {report.missing_to_delete:,} that imports created"
        if report.missing_kept:
            told += f", and kept {report.missing_kept:,}; `runs show {report.missing_run}` says why"
    if report.missing_left:
        told += (
            f"; {report.missing_left:,} that earlier deletions have kept were not looked at again, since with them "
            "more than --missing-limit are missing"
        )
    return told + (doubt if report.rejects_without_key else "")


def _baseline(told: Mapping[str, Any], *, is_rest: bool) -> str:
    """Return what a data set was worth; with `is_rest` for the rows that a resume has read, since it counts these."""
    matched: Mapping[str, int] = told["matched"]
    by = ", ".join(f"{number:,} by {name}" for name, number in matched.items() if number)
    age = f" of {str(told['newest'])[:10]}" if told["newest"] else ""
    since = "since the resume, " if is_rest else ""
    line = f"{since}{counted(sum(matched.values()), 'row')} matched the data set{age}{f' ({by})' if by else ''}"
    line += f"; {told['ambiguous']:,} ambiguous" if told["ambiguous"] else ""
    left = told["left_to_policy"]
    return line + (f"; {left:,} differed from the customer who has the address" if left else "")


def table_names(report: "Report") -> list[str]:
    """Return the files in which rejects are corrected; inputs with different headers have several."""
    tables = [name for name in report.files if fnmatch(name, REJECTED_TABLES)]
    return tables or [name for name in ("rejected.ndjson",) if name in report.files]


def _noun(report: "Report") -> str:
    return "row" if report.rows in (0, report.counts["read"]) else "record"


def _was_were(number: int) -> str:
    return "was" if number == 1 else "were"


def _is_are(number: int) -> str:
    return "is" if number == 1 else "are"
