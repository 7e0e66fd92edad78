"""`check`: the offline preflight, as a table for people or as JSON."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import FlagGroup, PlannedRateFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import OUTPUT, call_option
from bulkgladly.cli.output import print_json, print_lines, tell
from bulkgladly.cli.preview_lines import MASKED, preview_as_dict, preview_lines
from bulkgladly.cli.row_flags import RowFlags, words_of
from bulkgladly.cli.streams import standard_input
from bulkgladly.cli.terminal_lines import Line, Style

if TYPE_CHECKING:
    from bulkgladly.checks.check_report import CheckReport, Example, Finding

__all__ = ("SAID", "CheckFlags", "check", "print_findings")

_RULES = "What is checked"
_WRITING = ("create", "update", "upsert")
_SAID_IN_FIX = frozenset(
    [
        "phone_region",
        "no_identifier",
        "key_missing",
        "duplicate_key",
        "duplicate_address",
        "unknown_key",
        "ragged_row",
        "malformed_csv",
        "malformed_json",
        "invalid_encoding",
    ]
)
"""Rules whose details end with the fix, after a semicolon: here the line below says it."""
_LINE = re.compile(r"line (?P<number>\d+): ")
SAID = {
    "good": "good",
    "refused": "would be refused",
    "depends": "refused unless Gladly holds the object already",
    "changed": "may be changed by Gladly",
    "repeated": "equal to an earlier row, not sent again",
    "skipped": "skipped",
}


@dataclass(frozen=True)
class CheckFlags(FlagGroup):
    """What a check looks at beside the rows, and what it shows."""

    languages: flags.Languages = ""
    parents: Annotated[
        list[str] | None,
        call_option(
            "--parents",
            "A file of the objects that the rows refer to, such as the customers of tasks; repeatable.",
            _RULES,
            "[OBJECT=]FILE",
        ),
    ] = None
    rows: Annotated[
        int,
        call_option("--rows", "Show the first N rows where their records differ. (default: 3)", OUTPUT, "N", min=0),
    ] = 3
    parents_key: Annotated[
        str | None,
        call_option("--parents-key", "The key column of these files. (default: --key, else id)", _RULES, "COLUMN"),
    ] = None
    show_values: flags.ShowValues = False


@with_flags
def check(
    context: typer.Context,
    resource: flags.RowsObject,
    files: flags.InputFiles,
    records: RowFlags,
    rules: CheckFlags,
    pace: PlannedRateFlags,
    where: WhereFlags,
    json: flags.Json = False,
) -> None:
    """Check every row before an import. Nothing is sent.

    First it shows what a few rows become, then each rule that rows break, with the number of rows, the first places
    and how to fix it, then what an import would take. The exit code is 0 without findings, and 1 with findings.
    """
    import anyio

    from bulkgladly.checks.run_check import check as look

    options = records.options(pace=pace.over(), state_dir=where.state_dir)
    # Credentials are optional, because nothing is sent; but what is remembered of earlier imports is kept by host.
    credentials = credentials_or_none(context, where.profile)
    report = anyio.run(
        lambda: look(
            resource,
            files,
            options,
            host=credentials.host if credentials else "",
            languages=words_of(rules.languages),
            parents=rules.parents or [],
            parents_key=rules.parents_key,
            show_values=rules.show_values,
            rows=rules.rows,
            stdin=standard_input(),
        )
    )
    # Findings go to stdout, to be searched or kept; the summary goes to stderr, as after an import.
    if json:
        samples = [preview_as_dict(row, show_values=rules.show_values) for row in report.samples]
        print_json({**report.as_dict(), "samples": samples})
    else:
        _print_samples(report, show_values=rules.show_values)
        print_findings(report, drop_choice=_drop_choice(records))
    _tell(report, drop_choice=_drop_choice(records))
    raise typer.Exit(report.exit_code)


def _drop_choice(records: RowFlags) -> str:
    """Return how the user can leave out values that are not valid."""
    return "--invalid-contacts drop" if records.map_ is None else 'on_error = "drop"'


def _print_samples(report: "CheckReport", *, show_values: bool) -> None:
    """Print what the first rows become, where that differs from the row."""
    lines = list(preview_lines(report.samples, show_values=show_values))
    if lines:
        print_lines("Sample rows (only values that differ from the file):", *(f"  {line}" for line in lines), "")
        if not show_values:
            tell(MASKED)


def print_findings(report: "CheckReport", *, drop_choice: str) -> None:
    """Print each rule that rows break, with their number, the first places and the fix."""
    from bulkgladly.runs.observer import counted

    if not report.findings:
        return
    head = ("result", "rows", "rule", "field")
    rows = [(one.severity.value, f"{one.rows:,}", one.code, one.field or "") for one in report.findings]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    print_lines(_line(head, widths))
    for row, finding in zip(rows, report.findings, strict=True):
        print_lines(_severity_line(_line(row, widths), finding))
        more = finding.rows - len(finding.examples)
        and_more = f"and {counted(more, 'more row')}" if more > 0 else ""
        if len(said := {_said(example, finding) for example in finding.examples}) == 1:
            # Several records of one row have one place.
            places = ", ".join(dict.fromkeys(example.place for example in finding.examples))
            print_lines(f"    {' '.join(filter(None, (places, and_more)))}: {said.pop()}")
        else:
            print_lines(*(f"    {example.place}: {_said(example, finding)}" for example in finding.examples))
            if and_more:
                print_lines(f"    {and_more}")
        print_lines(f"    fix: {finding.fix}")
        if finding.kept_by_drop:
            print_lines(f"    {counted(finding.kept_by_drop, 'row')} would be kept with {drop_choice}")


def _severity_line(text: str, finding: "Finding") -> Line:
    """Return the line of a finding, its severity in colour: red if rows are refused."""
    word = finding.severity.value
    return Line(((word, Style.BAD if word == "refused" else Style.WARNING), (text.removeprefix(word), None)))


def _said(example: "Example", finding: "Finding") -> str:
    """Return what is wrong, and the value if there is one: without the line in the place, and without the fix."""
    line = _LINE.match(example.detail)
    is_named = line is not None and example.place.endswith(f":{line['number']}")
    detail = example.detail[line.end() :] if line is not None and is_named else example.detail
    if finding.code in _SAID_IN_FIX:
        detail = detail.partition("; ")[0]
    return detail if example.value is None else f"{detail} ({example.value})"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    result, rows, *rest = (
        cell.rjust(width) if at == 1 else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((result, rows, *rest)).rstrip()


def _tell(report: "CheckReport", *, drop_choice: str) -> None:
    """Print the summary on stderr: how many rows are good, what was not checked, what an import would take."""
    from bulkgladly.runs.observer import share_text

    for note in report.notes:
        tell(note)
    counts: Any = report.counts
    read = counts["read"]
    what = f"{read:,} {report.resource}" if read != 1 else f"1 row of {report.resource}"
    tell(f"Checked {what} (mode: {report.mode}); nothing was sent")
    if not read:
        tell("  the input has no rows: nothing to check")
        return
    for word, said in SAID.items():
        if number := counts[word]:
            tell(f"  {number:>11,} {said}" + (f" ({share_text(number, read)})" if number < read else ""))
    if report.kept_by_drop:
        tell(f"  {report.kept_by_drop:>11,} of the refused rows would be kept with {drop_choice}")
    for what, number in report.not_judged.items():
        tell(f"  {number:>11,} {'reference' if number == 1 else 'references'} not checked: {what}")
    if any(not what.endswith("by name") for what in report.not_judged):
        tell("  pass --parents FILE to check keys and ids; names are looked up when the import begins")
    _tell_estimates(report)


def _tell_estimates(report: "CheckReport") -> None:
    """Print what an import would take, by what earlier runs have sent, as far as that is known."""
    chosen = report.estimates[report.mode]
    if not chosen.rows:
        return
    tell(f"Estimate ({report.memory}):")
    if chosen.split:
        tell(f"  --mode {report.mode}: {chosen.split_text()}: {chosen.operations_text()}{chosen.effort()}")
        return
    # Modes differ much in what they cost, so all that write are listed, the chosen one first.
    for mode in sorted(report.estimates, key=lambda mode: mode != report.mode):
        if mode in (report.mode, *_WRITING):
            tell(f"  --mode {mode}: {report.estimates[mode].operations_text()}{report.estimates[mode].effort()}")
