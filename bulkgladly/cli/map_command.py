"""`map init` and `map check`: draft a mapping from the user's columns to Gladly's fields, and test it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.flag_groups import FlagGroup, with_flags
from bulkgladly.cli.output import print_json, print_lines, print_text, tell
from bulkgladly.cli.preset_command import init_from
from bulkgladly.cli.preview_lines import MASKED, preview_lines, valued
from bulkgladly.cli.row_flags import RowFlags
from bulkgladly.cli.streams import standard_input
from bulkgladly.commands import next_command

if TYPE_CHECKING:
    from bulkgladly.checks.map_check import MapCheck
    from bulkgladly.files.contract import ReadOptions
    from bulkgladly.mapping.check import Difference

__all__ = ("SampleFlags", "check", "init")


@dataclass(frozen=True)
class SampleFlags(FlagGroup):
    """How the sample files are read and shown."""

    format_: flags.InputFormat = None
    encoding: flags.Encoding = None
    delimiter: flags.Delimiter = None
    skip_lines: flags.SkipLines = None
    sheet: flags.Sheet = None
    show_values: flags.ShowValues = False

    def reading(self) -> "ReadOptions":
        """Return how to read the files."""
        from bulkgladly.files.contract import ReadOptions

        return ReadOptions(
            encoding=self.encoding,
            delimiter=self.delimiter,
            format=self.format_,
            skip_lines=self.skip_lines,
            sheet=self.sheet,
        )


@with_flags
def init(
    *,
    files: Annotated[
        list[str],
        typer.Argument(help="Your files, in any format that `import` reads; - for standard input.", metavar="FILE"),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="What the rows become: customers, activities, ...",
            metavar="OBJECT",
            autocompletion=completions.objects_to_import,
        ),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="FILE is the folder of an export of this system; all of its mappings are written: "
            "zendesk, kustomer, freshdesk, intercom, gorgias, salesforce, shopify, hubspot or klaviyo.",
            metavar="SYSTEM",
            autocompletion=completions.systems,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write the mapping here. (default: the standard output; with --from, the folder SYSTEM-to-gladly)",
            metavar="FILE",
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Look at the first N rows of each file.", metavar="N")] = 10_000,
    samples: SampleFlags,
) -> None:
    """Draft a mapping from your columns and their values, for you to review."""
    from bulkgladly.checks.map_check import draft_for
    from bulkgladly.errors import UsageError

    reading = samples.reading()
    if system is not None:
        if to is not None:
            raise UsageError("--from writes the mappings of all objects; leave out --to")
        init_from(system, files, out, reading, rows)
        return
    if to is None:
        raise UsageError(
            "nothing says what the rows become; pass --to customers, or --from zendesk for the folder of an export"
        )
    draft = draft_for(to, files, reading, rows=rows, show_values=samples.show_values, stdin=standard_input())
    if out is None:
        print_text(draft.text)
        return
    _write_new(out, draft.text)
    # What came by the standard input is gone, so the next command needs a file.
    inputs = ["FILE"] if files == ["-"] else [Path(file) for file in files]
    try_it = next_command("check", draft.to, *inputs, "--map", str(out), *draft.flags)
    tell(f"wrote {out}; review it, then run `{try_it}`")


@with_flags
def check(
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files to try it on; - for standard input.", metavar="FILE"),
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Show the first N rows.", metavar="N")] = 3,
    expect: Annotated[
        Path | None,
        typer.Option(
            help="An NDJSON file of what is expected: an input with its output on each line, or the outputs of FILE.",
            metavar="FILE",
            dir_okay=False,
        ),
    ] = None,
    records: RowFlags,
    show_values: flags.ShowValues = False,
    json: flags.Json = False,
) -> None:
    """Show what a mapping makes of the first rows, and test it. Nothing is sent.

    It takes the options and settings of `import`, so that both make the same records. The exit code is 1 if a row
    shown would be rejected, or an expectation is not met.
    """
    from bulkgladly.checks.map_check import check_mapping
    from bulkgladly.errors import UsageError

    if not files and expect is None:
        raise UsageError("nothing to try the mapping on; name FILE, or pass expectations with --expect FILE")
    found = check_mapping(records.options(), files or [], rows=rows, expect=expect, stdin=standard_input())
    for note in found.notes:
        tell(note)
    if json:
        print_json(_as_json(found, show_values=show_values))
    else:
        _tell(found, expect, show_values=show_values)
    raise typer.Exit(found.exit_code)


def _write_new(path: Path, text: str) -> None:
    from bulkgladly.errors import UsageError
    from bulkgladly.storage.durable import write_new

    # Never overwritten: a reviewed mapping cannot be drafted again.
    try:
        write_new(path, text.encode())
    except FileExistsError:
        raise UsageError(
            f"{path} already exists and may have been reviewed; delete it, or choose another name"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _tell(found: "MapCheck", expect: Path | None, *, show_values: bool) -> None:
    say = valued(show_values=show_values)
    print_lines(*preview_lines([example.preview for example in found.examples], show_values=show_values))
    for difference in found.differences:
        print_lines(f"{expect}:{difference.line}, record {difference.record}: {_difference_text(difference, say)}")
    if found.unused:
        tell(f"columns that the mapping does not use: {', '.join(found.unused)}")
    if found.absent:
        tell(f"columns that the mapping uses and no row has: {', '.join(found.absent)}")
    if found.tested:
        failed = len({difference.line for difference in found.differences})
        tell(f"expectations: {found.tested - failed:,} of {found.tested:,} are met")
    if not show_values:
        tell(MASKED)


def _difference_text(difference: "Difference", say: Any) -> str:
    if not difference.field:
        return "expected, but the mapping makes no such record" if difference.found is None else "not expected"
    expected = "nothing" if difference.expected is None else say(difference.expected)
    found = "nothing" if difference.found is None else say(difference.found)
    same = " (they differ where they are masked; use --show-values)" if expected == found else ""
    return f"{difference.field}: expected {expected}, found {found}{same}"


def _as_json(found: "MapCheck", *, show_values: bool) -> dict[str, Any]:
    from bulkgladly.mapping.column_shapes import masked

    def told(value: Any) -> Any:
        return value if show_values else masked(value)

    def record(fields: dict[str, Any]) -> dict[str, Any]:
        return fields if "problem" in fields else {name: told(value) for name, value in fields.items()}

    return {
        "exit_code": found.exit_code,
        "examples": [
            {
                "place": one.preview.place,
                "file": one.file,
                "record": one.number,
                "input": {name: told(value) for name, value in one.input.items()},
                "output": [record(fields) for fields in one.output],
                "problems": [
                    {"outcome": p.word.value, "code": p.code, "attr": p.attr, "detail": p.detail} for p in one.problems
                ],
                "dropped": [
                    {"field": gone.field, "column": gone.column, "code": gone.code, "detail": gone.detail}
                    for record in one.preview.records
                    for gone in record.dropped
                ],
            }
            for one in found.examples
        ],
        "unused": list(found.unused),
        "absent": list(found.absent),
        "tested": found.tested,
        "differences": [
            {
                "line": one.line,
                "record": one.record,
                "field": one.field,
                "expected": None if one.expected is None else told(one.expected),
                "found": None if one.found is None else told(one.found),
            }
            for one in found.differences
        ],
    }
