"""`map init` and `map check`: draft a mapping from the user's columns to Gladly's fields, and test it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.choices import InputFormat
from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import FlagGroup, with_flags
from bulkgladly.cli.flags import call_option, choices_of
from bulkgladly.cli.output import print_json, print_lines, print_text, tell
from bulkgladly.commands import next_command
from bulkgladly.records import place_of_row

if TYPE_CHECKING:
    from bulkgladly.checks.map_check import MapCheck
    from bulkgladly.files.contract import ReadOptions
    from bulkgladly.mapping.check import Difference

__all__ = ("SampleFlags", "check", "init")

_FILES = "Input files"


@dataclass(frozen=True)
class SampleFlags(FlagGroup):
    """How the sample files are read and shown. Unlike those of `import`, these have no environment variables."""

    format_: Annotated[
        InputFormat | None,
        call_option("--format", "The format of the files. (default: by file name)", _FILES, choices_of(InputFormat)),
    ] = None
    encoding: Annotated[
        str | None,
        call_option("--encoding", "The encoding of text files. (default: by mark, or UTF-8)", _FILES, "NAME"),
    ] = None
    delimiter: Annotated[
        str | None,
        call_option("--delimiter", "The delimiter of CSV files. (default: as the header shows)", _FILES, "CHARACTER"),
    ] = None
    skip_lines: Annotated[
        int | None,
        call_option("--skip-lines", "The number of lines before the header in CSV files.", _FILES, "N", min=0),
    ] = None
    sheet: Annotated[
        str | None,
        call_option("--sheet", "The sheet of Excel files. (default: the first one with values)", _FILES, "NAME"),
    ] = None
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
    files: Annotated[list[str], typer.Argument(help="Your files, in any format that `import` reads.", metavar="FILE")],
    to: Annotated[str, typer.Option(help="What the rows become: customers, activities, ...", metavar="OBJECT")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the mapping here. (default: the standard output)", metavar="FILE"),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Look at the first N rows of each file.", metavar="N")] = 1000,
    samples: SampleFlags,
) -> None:
    """Draft a mapping from your columns and their values, for you to review."""
    from bulkgladly.checks.map_check import draft_for

    reading = samples.reading()
    text = draft_for(to, files, reading, rows=rows, show_values=samples.show_values)
    if out is None:
        print_text(text)
        return
    _write_new(out, text)
    try_it = next_command("map", "check", *map(Path, files), "--map", str(out), *reading.flags())
    tell(f"wrote {out}; review it, then run `{try_it}`")


@with_flags
def check(
    *,
    mapping: Annotated[Path, typer.Option("--map", help="The mapping file.", metavar="FILE", dir_okay=False)],
    files: Annotated[list[str] | None, typer.Argument(help="Your files to try it on.", metavar="FILE")] = None,
    rows: Annotated[int, typer.Option(min=0, help="Show the first N rows.", metavar="N")] = 5,
    expect: Annotated[
        Path | None,
        typer.Option(
            help="An NDJSON file of what is expected: an input with its output on each line, or the outputs of FILE.",
            metavar="FILE",
            dir_okay=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="The column that identifies a row. (default: the key of the mapping)", metavar="COLUMN"),
    ] = None,
    transform: Annotated[
        str | None,
        typer.Option(help="Your own function, which is given each row first.", metavar="MODULE:FUNCTION"),
    ] = None,
    samples: SampleFlags,
    json: flags.Json = False,
) -> None:
    """Show the first rows before and after a mapping, and test it. Nothing is sent.

    The exit code is 1 if a row shown would be rejected, or an expectation is not met.
    """
    from bulkgladly.checks.map_check import check_mapping
    from bulkgladly.errors import UsageError
    from bulkgladly.imports.mapping_choice import choose_mapping

    if not files and expect is None:
        raise UsageError("nothing to try the mapping on; name FILE, or pass expectations with --expect FILE")
    reading = samples.reading()
    found = check_mapping(choose_mapping(mapping, transform), files or [], reading, key=key, rows=rows, expect=expect)
    for note in found.notes:
        tell(note)
    if json:
        print_json(_as_json(found, show_values=samples.show_values))
    else:
        _tell(found, expect, show_values=samples.show_values)
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
    say = _say(show_values)
    for example in found.examples:
        print_lines(place_of_row(example.file, example.number))
        for name, value in example.input.items():
            print_lines(f"  - {name}: {say(value)}")
        for number, record in enumerate(example.output, 1):
            if len(example.output) > 1:
                print_lines(f"  = {number} of {len(example.output)}")
            for name, value in record.items():
                print_lines(f"  + {name}: {value if 'problem' in record else say(value)}")
        for problem in example.problems:
            print_lines(f"  ! {problem.word.value}: {problem.code}: {problem.detail}")
    for difference in found.differences:
        print_lines(
            f"{expect}, line {difference.line}, record {difference.record}: {_difference_text(difference, say)}"
        )
    if found.unused:
        tell(f"columns that the mapping does not use: {', '.join(found.unused)}")
    if found.absent:
        tell(f"columns that the mapping uses and no row has: {', '.join(found.absent)}")
    if found.tested:
        failed = len({difference.line for difference in found.differences})
        tell(f"expectations: {found.tested - failed:,} of {found.tested:,} are met")
    if not show_values:
        tell("Values are masked (a/A letter, 9 digit). Use --show-values to see them.")


def _difference_text(difference: "Difference", say: Any) -> str:
    if not difference.field:
        return "expected, but the mapping makes no such record" if difference.found is None else "not expected"
    expected = "nothing" if difference.expected is None else say(difference.expected)
    found = "nothing" if difference.found is None else say(difference.found)
    same = " (they differ where they are masked; use --show-values)" if expected == found else ""
    return f"{difference.field}: expected {expected}, found {found}{same}"


def _say(show_values: bool) -> Any:
    import orjson

    from bulkgladly.mapping.column_shapes import shape

    return (lambda value: orjson.dumps(value).decode()) if show_values else shape


def _as_json(found: "MapCheck", *, show_values: bool) -> dict[str, Any]:
    from bulkgladly.mapping.column_shapes import shape

    def told(value: Any) -> Any:
        return value if show_values else shape(value)

    def record(fields: dict[str, Any]) -> dict[str, Any]:
        return fields if "problem" in fields else {name: told(value) for name, value in fields.items()}

    return {
        "exit_code": found.exit_code,
        "examples": [
            {
                "file": one.file,
                "record": one.number,
                "input": {name: told(value) for name, value in one.input.items()},
                "output": [record(fields) for fields in one.output],
                "problems": [
                    {"outcome": p.word.value, "code": p.code, "attr": p.attr, "detail": p.detail} for p in one.problems
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
