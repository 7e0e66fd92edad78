"""Write docs/columns.md from what is declared of each object: `python docs/make_columns.py`."""

from collections.abc import Iterable
from pathlib import Path

from bulkgladly.gladly.data_sets import DataSetPlan, ListOf, OpenMap, Struct, ValueType
from bulkgladly.gladly.exports import LiveExport, Parent
from bulkgladly.gladly.table import DATA_SET_PLANS, LIVE_EXPORTS

__all__ = ("main", "reference")

TARGET = Path(__file__).with_name("columns.md")
HEAD = """\
# Columns

What `bulkgladly export` asks for, and what each column of a data set means, made by
`python docs/make_columns.py` from the tables that the program itself works with. A test fails
when they differ, so do not edit this page by hand. `bulkgladly schema show NAME` prints the
columns of one data set. How exports go about it: [exporting](exporting.md). How data sets lie in
their folder: [data sets](dataset.md). The columns of reports are those that Gladly names.

UNKNOWN is what neither Gladly's documents nor anybody else has written down.
"""


def reference() -> str:
    """Return the whole page. Equal tables give equal text."""
    parts = [HEAD, "## What is asked for", _exports(), "## Data sets"]
    parts += [_section(DATA_SET_PLANS[name]) for name in sorted(DATA_SET_PLANS)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


def _exports() -> str:
    rows = [
        (f"`{row.word}`", f"`{row.operation}`", _asked_for(row), _most(row), f"[`{row.data_set}`](#{row.data_set})")
        for row in LIVE_EXPORTS.values()
    ]
    return _table(("word", "operation", "one request for each", "rows in an answer, at most", "data set"), rows)


def _asked_for(row: LiveExport) -> str:
    ids = ", ".join(f"`{one.data_set}`" for one in row.ids_from)
    if row.parent is Parent.NONE:
        return "export"
    return f"{row.parent.value}; ids from {ids}" if ids else str(row.parent.value)


def _most(row: LiveExport) -> str:
    if not row.is_list:
        return "1"
    return f"{row.cap:,}, by {row.order}" if row.cap is not None else "no cap is stated"


def _section(plan: DataSetPlan) -> str:
    come = f"From `{plan.file}` of an export job" if plan.file is not None else "Asked for"
    key = ", ".join(f"`{name}`" for name in plan.key)
    folders = ", ".join(f"`{name}=`" for name in plan.partitions)
    about = f"{come}. Version {plan.version}, key {key}{f', folders {folders}' if folders else ''}."
    rows = [(f"`{column.name}`", _named(column.type), column.meaning) for column in plan.all_columns]
    return "\n\n".join((f"### {plan.name}", about, _table(("column", "type", "what it means"), rows)))


def _named(plain: ValueType) -> str:
    if isinstance(plain, ListOf):
        return f"list of {_named(plain.element)}"
    if isinstance(plain, Struct):
        return f"object ({', '.join(f'`{name}`' for name in plain.members)})"
    return "map of texts" if isinstance(plain, OpenMap) else plain.value


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    return "\n".join((*lines, *(f"| {' | '.join(cells)} |" for cells in rows)))


if __name__ == "__main__":
    main()
