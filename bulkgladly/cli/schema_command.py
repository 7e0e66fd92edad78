"""`schema show`: the columns of what is imported and exported, with their types."""

import shutil
import textwrap
from itertools import zip_longest
from typing import Annotated, Any

import typer

from bulkgladly.choices import closest, one_of
from bulkgladly.cli import completions, flags
from bulkgladly.cli.output import print_json, print_lines
from bulkgladly.errors import UsageError

__all__ = ("show",)

KINDS = {"text": "text", "flag": "true or false"}


def show(
    name: Annotated[
        str | None,
        typer.Argument(
            help="An object to import, a data set or a report (metric set), such as customers.",
            metavar="OBJECT",
            autocompletion=completions.objects_to_show,
        ),
    ] = None,
    reports: Annotated[bool, typer.Option("--reports", help="Show which report answers which question.")] = False,
    json: flags.Json = False,
) -> None:
    """Show the columns of an object: those that an import takes, and those of a data set or report."""
    if reports:
        _show_reports(name, json=json)
        return
    if name is None:
        raise UsageError("nothing to show; name an object, such as customers, or pass --reports")
    found = {"name": name, **_resource(name), **_data_set(name), **_report(name)}
    if len(found) == 1:
        raise UsageError(_unknown(name))
    if json:
        print_json(_without_words(found))
        return
    if "modes" in found:
        print_lines(f"Columns of {name} to import (modes: {', '.join(found['modes'])})")
        _print(("column", "in nested JSON", "holds"), [tuple(row.values()) for row in found["columns"]])
    if "data_set" in found:
        about = found["data_set"]
        key, folders = (", ".join(about[part]) for part in ("key", "partitions"))
        parts = [
            f"version {about['version']}",
            f"key: {key}" if key else "",
            f"partitioned by {folders}" if folders else "",
        ]
        print_lines(f"Columns of the data set {name} ({'; '.join(part for part in parts if part)})")
        order = ("column", "words", "means")
        _print(("column", "type", "what it means"), [tuple(row[part] for part in order) for row in about["columns"]])
    if "report" in found:
        if found["report"]:
            print_lines(f"Known columns of the report {name}")
            _print(("column", "header", "type"), [tuple(row.values()) for row in found["report"]])
            print_lines("Any other column becomes text, named after its header.")
        else:
            print_lines(f"Each column of the report {name} becomes text, named after its header")


def _resource(name: str) -> dict[str, Any]:
    from bulkgladly.gladly.table import IMPORTS

    spec = IMPORTS.get(name)
    if spec is None:
        return {}
    rows = list(_declared(spec.fields, spec.procedures) if spec.fields else _rows(spec.columns))
    # What Gladly alone sets is accepted, so that exported rows can be imported as they are.
    rows += [(column, column, "accepted in a row, never sent") for column in spec.columns.read_only]
    columns = [{"column": column, "nested": nested, "holds": holds} for column, nested, holds in rows]
    return {"resource": spec.name, "modes": [mode.value for mode in spec.procedures], "columns": columns}


def _data_set(name: str) -> dict[str, Any]:
    from bulkgladly.gladly.data_sets import type_words
    from bulkgladly.gladly.table import DATA_SET_PLANS
    from bulkgladly.lake.schemas import DATA_SETS

    found = DATA_SETS.get(name)
    if found is None:
        return {}
    declared = {column.name: column for column in DATA_SET_PLANS[name].all_columns}
    columns = [
        {
            "column": field.name,
            "type": str(field.type),
            "means": declared[field.name].meaning,
            "words": type_words(declared[field.name].type),
        }
        for field in found.schema
    ]
    about = {"version": found.version, "key": list(found.key), "partitions": list(found.partitions)}
    return {"data_set": {**about, "columns": columns}}


def _report(name: str) -> dict[str, Any]:
    from bulkgladly.gladly.table import METRIC_SETS

    if name not in METRIC_SETS:
        return {}
    columns = METRIC_SETS[name].columns
    known = [{"column": one.name, "header": one.header or "", "type": one.kind.value} for one in columns]
    return {"report": known}


def _without_words(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found for programs, which get the exact types instead of words."""
    if "data_set" not in found:
        return found
    about = found["data_set"]
    columns = [{name: value for name, value in row.items() if name != "words"} for row in about["columns"]]
    return {**found, "data_set": {**about, "columns": columns}}


def _show_reports(name: str | None, *, json: bool) -> None:
    from bulkgladly.gladly.table import METRIC_SETS

    if name is not None:
        raise UsageError(f"--reports lists all reports; leave out {name!r}, or leave out --reports for its columns")
    rows = [(each.name, each.question, each.is_described) for _, each in sorted(METRIC_SETS.items())]
    if json:
        print_json([{"report": one, "answers": two, "is_described": three} for one, two, three in rows])
        return
    _print(("report", "answers"), [(one, f"{two}{'' if three else ' *'}") for one, two, three in rows])
    print_lines("* Gladly does not describe this report; only its name says what it answers.")


def _unknown(name: str) -> str:
    from bulkgladly.gladly.table import IMPORTS, METRIC_SETS
    from bulkgladly.lake.schemas import DATA_SETS

    known = sorted({*IMPORTS, *DATA_SETS})
    meant = closest(name, [*known, *METRIC_SETS])
    hint = f"did you mean {meant!r}? " if meant else ""
    return f"unknown object, data set or metric set {name!r}; {hint}choose from: {', '.join(known)}"


def _print(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table. On a terminal its cells are wrapped to the width; in a pipe each row stays one line."""
    widths = _widths(head, rows, shutil.get_terminal_size((_UNLIMITED, 24)).columns)
    for row in (head, *rows):
        cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
        for lines in zip_longest(*cells, fillvalue=""):
            padded = (line.ljust(width) for line, width in zip(lines, widths, strict=True))
            print_lines("  " + "  ".join(padded).rstrip())


_UNLIMITED = 100_000
_NARROWEST = 24


def _widths(head: tuple[str, ...], rows: list[tuple[str, ...]], most: int) -> list[int]:
    """Return the widths of columns: as wide as needed; if that is too much, those in the middle give way first."""
    columns = [[row[at] for row in (head, *rows)] for at in range(len(head))]
    widths = [max(map(len, cells)) for cells in columns]
    excess = sum(widths) + 2 * len(widths) - most
    for at in (*range(1, len(widths) - 1), len(widths) - 1):
        words = max(len(word) for cell in columns[at] for word in cell.split() or ("",))
        least = max(words, _NARROWEST if at == len(widths) - 1 else 0)
        cut = min(max(0, excess), max(0, widths[at] - least))
        widths[at] -= cut
        excess -= cut
    return widths


def _rows(plan: Any) -> Any:
    from bulkgladly.gladly.contacts import PHONE_TYPES, SMS_PREFERENCES

    choices = {
        "type": ", ".join(PHONE_TYPES),
        "smsPreference": ", ".join(SMS_PREFERENCES),
        "regionCode": "the country of a local number, such as GB",
    }
    for name in plan.scalars:
        yield name, name, "text"
    for item in plan.lists:
        yield f"{item.prefix}:1", f"{item.field}[0].{item.value}", "text; further ones as :2, :3, ..."
        for part, kind in item.parts.items():
            yield (
                f"{item.prefix}:1:{part}",
                f"{item.field}[0].{part}",
                choices[part] if kind == "choice" else KINDS[kind],
            )
    if plan.open_map:
        yield f"{plan.open_prefix}:KEY", f"{plan.open_map}.KEY", "text; any JSON value in nested form"


def _declared(fields: Any, modes: Any) -> Any:
    for field in fields:
        column = field.name if field.parts is None else f"{field.name}:1"
        nested = field.place if field.parts is None else f"{field.name}[0].{field.value}"
        yield column, nested, _holds(field, modes)
        for part in field.parts or ():
            yield f"{column}:{part}", f"{field.name}[0].{part}", "text"


def _holds(field: Any, modes: Any) -> str:
    kind = "text; further ones as :2, :3, ..." if field.parts is not None else str(field.kind)
    about = [", ".join(field.choices) or kind, f"at most {field.most:,} characters" if field.most else ""]
    needing = [mode.value for mode in modes if mode in field.required]
    needed = f"required to {one_of(needing)}" if needing else ""
    return "; ".join(part for part in (*about, needed, field.help) if part)
