"""Write docs/columns.md from the declarations of the objects: `python docs/make_columns.py`."""

from collections.abc import Iterable
from pathlib import Path

from bulkgladly.gladly.data_sets import DataSetPlan, type_words
from bulkgladly.gladly.exports import LiveExport, Parent
from bulkgladly.gladly.report_windows import Grain
from bulkgladly.gladly.table import DATA_SET_PLANS, LIVE_EXPORTS, METRIC_SETS

__all__ = ("main", "reference")

TARGET = Path(__file__).with_name("columns.md")
HEAD = """\
# Columns

What `bulkgladly export` requests, and what each column of a data set means.
`python docs/make_columns.py` writes this page from the declarations that the program uses. A test
fails if they differ, so do not edit it by hand. `bulkgladly schema show NAME` prints the columns of
one data set. [Exporting](exporting.md) explains how exports work, and [the data set](dataset.md)
describes the folder.

UNKNOWN means that Gladly's documents do not say it.
"""
METRIC_SETS_HEAD = """\
`bulkgladly export report NAME` requests one of these ([reports](exporting.md#reports)). The columns
are those that Gladly sends; where they are known, `bulkgladly schema show NAME` lists them. The
flags are those that the set accepts besides the days. Where a star follows, Gladly's documents do not
describe the report, and only its name says what it answers.
"""
GRAINS = {
    Grain.THING: "an object",
    Grain.EVENT: "something that happened",
    Grain.BUCKET: "a sum over a bucket",
    Grain.PERIOD: "a sum over the whole period",
}
FLAGS = {
    "aggregationLevel": "--aggregation",
    "channel": "--channel",
    "inboxes": "--inbox",
    "teams": "--team",
    "phoneNumber": "--phone-number",
}


def reference() -> str:
    """Return the whole page. Equal tables give equal text."""
    parts = [HEAD, "## Requests", _exports(), "## Metric sets", METRIC_SETS_HEAD, _metric_sets(), "## Data sets"]
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
    return _table(("object", "operation", "one request for each", "rows in a response, at most", "data set"), rows)


def _asked_for(row: LiveExport) -> str:
    ids = ", ".join(f"`{one.data_set}`" for one in row.ids_from)
    if row.parent is Parent.NONE:
        return "run"
    return f"{row.parent.value}; ids from {ids}" if ids else str(row.parent.value)


def _most(row: LiveExport) -> str:
    if not row.is_list:
        return "1"
    return f"{row.cap:,}, by {row.order}" if row.cap is not None else "not documented"


def _metric_sets() -> str:
    rows = [
        (
            f"`{name}`",
            GRAINS[found.grain],
            ", ".join(f"`{flag}`" for field, flag in FLAGS.items() if field in found.takes),
            ", ".join(f"`{column}`" for column in found.key),
            f"{found.question}{'' if found.is_described else ' *'}",
        )
        for name, found in sorted(METRIC_SETS.items())
    ]
    return _table(("metric set", "one row is", "flags", "key", "answers"), rows)


def _section(plan: DataSetPlan) -> str:
    come = f"From `{plan.file}` of an export job" if plan.file is not None else "From the live API"
    key = ", ".join(f"`{name}`" for name in plan.key)
    folders = ", ".join(f"`{name}=`" for name in plan.partitions)
    about = f"{come}. Version {plan.version}, key {key}{f', folders {folders}' if folders else ''}."
    rows = [(f"`{column.name}`", type_words(column.type, "`"), column.meaning) for column in plan.all_columns]
    return "\n\n".join((f"### {plan.name}", about, _table(("column", "type", "what it means"), rows)))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    return "\n".join((*lines, *(f"| {' | '.join(cells)} |" for cells in rows)))


if __name__ == "__main__":
    main()
