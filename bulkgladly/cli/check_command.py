"""`check`: the offline preflight, as a table for people or as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import FlagGroup, RateFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import option
from bulkgladly.cli.output import print_json, print_lines, tell
from bulkgladly.cli.row_flags import RowFlags, words_of
from bulkgladly.cli.streams import standard_input

if TYPE_CHECKING:
    from bulkgladly.checks.check_report import CheckReport

__all__ = ("CheckFlags", "check")

_RULES = "What is checked"
_SAID = {
    "good": "good",
    "refused": "would be refused",
    "depends": "depend on what Gladly holds",
    "changed": "may be changed by Gladly",
    "repeated": "equal to an earlier row, sent once",
    "skipped": "left out by your own rules",
}


@dataclass(frozen=True)
class CheckFlags(FlagGroup):
    """What a check looks at beside the rows, and what it shows."""

    languages: Annotated[
        str,
        option(
            "--languages",
            "Comma-separated languages of your organisation, such as en-us,de-de. Others are refused.",
            _RULES,
            "CODES",
        ),
    ] = ""
    parents: Annotated[
        list[str] | None,
        option(
            "--parents",
            "A file of the objects that the rows refer to, such as the customers of tasks; repeatable.",
            _RULES,
            "[OBJECT=]FILE",
            has_variable=False,
        ),
    ] = None
    parents_key: Annotated[
        str | None,
        option(
            "--parents-key",
            "The key column of these files. (default: --key, else id)",
            _RULES,
            "COLUMN",
            has_variable=False,
        ),
    ] = None
    show_values: flags.ShowValues = False


@with_flags
def check(
    context: typer.Context,
    resource: Annotated[
        str, typer.Argument(help="What the rows are, as in `import`: customers, tasks, ...", metavar="OBJECT")
    ],
    files: flags.InputFiles,
    rows: RowFlags,
    rules: CheckFlags,
    pace: RateFlags,
    where: WhereFlags,
    json: flags.Json = False,
) -> None:
    """Check every row before an import. Nothing is sent.

    Each rule that rows break is listed with the number of rows, the first places, and how to fix it. The exit code
    is 0 without findings, and 1 with findings.
    """
    import anyio

    from bulkgladly.checks.run_check import check as look

    options = rows.options(pace=pace.over(), state_dir=where.state_dir)
    # Nothing is sent, so nothing is needed; but what is remembered of earlier imports goes by the host.
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
            stdin=standard_input(),
        )
    )
    if json:
        print_json(report.as_dict())
    else:
        _print_findings(report)
    _tell(report)
    raise typer.Exit(report.exit_code)


def _print_findings(report: "CheckReport") -> None:
    """Print each rule with its count, its way out and where it was met."""
    if not report.findings:
        return
    head = ("result", "rows", "rule", "field")
    rows = [(one.severity.value, f"{one.rows:,}", one.code, one.field or "") for one in report.findings]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    print_lines(_line(head, widths))
    for row, finding in zip(rows, report.findings, strict=True):
        print_lines(_line(row, widths))
        for example in finding.examples:
            value = "" if example.value is None else f" ({example.value})"
            print_lines(f"    {example.place}: {example.detail}{value}")
        print_lines(f"    fix: {finding.fix}")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    result, rows, *rest = (
        cell.rjust(width) if at == 1 else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((result, rows, *rest)).rstrip()


def _tell(report: "CheckReport") -> None:
    """Say in a few lines for people how the rows fare, and what an import would take."""
    counts: Any = report.counts
    tell(f"check: {counts['read']:,} rows of {report.resource} read for --mode {report.mode}; nothing was sent")
    if not counts["read"]:
        tell("  the input has no rows: nothing to check")
    for word, said in _SAID.items():
        if counts[word]:
            tell(f"  {counts[word]:>11,} {said}")
    for what, number in report.not_judged.items():
        tell(f"  {number:>11,} x not judged here: {what}")
    if any(not what.endswith("by name") for what in report.not_judged):
        tell("  --parents FILE tells which there are; names are looked up when the import begins")
    for mode, estimate in report.estimates.items():
        tell(f"  --mode {mode}: {estimate.text()}")
