"""Write docs/objects.md from the declarations of the objects: `python docs/make_objects.py`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bulkgladly.cli import schema_command
from bulkgladly.gladly.spec import DEFAULT_MODES, ImportSpec
from bulkgladly.gladly.table import IMPORTS, NOT_WRITTEN
from bulkgladly.messages import Repeat

__all__ = ("main", "reference")

TARGET = Path(__file__).with_name("objects.md")
HEAD = """\
# Objects

Everything that `bulkgladly import` can write. `python docs/make_objects.py` writes this page from
the declarations that the program uses. A test fails if they differ, so do not edit it by hand.
[Importing](importing.md) explains how imports work; [exporting](exporting.md) lists what can be
exported.

- **Modes**: the first one is the default. `delete` must always be asked for.
- **Id**: whether the object is created with an id that bulkgladly derives from your key, so that a
  repeat is detected ([exactly once](exactly-once.md)).
- **Repeat**: what happens if the same create is sent a second time. *Harmless*: nothing.
  *Detected*: Gladly refuses it. *Unsafe*: Gladly would create a duplicate, so it is sent
  [at most once](exactly-once.md#at-most-once).
- **Requests**: the fewest and the most for one record without conflicts. Each run needs one more
  request for the organisation, and one for each kind of name that the rows use (inboxes, agents,
  topics, audiences).
"""
REPEATS = {Repeat.HARMLESS: "harmless", Repeat.DETECTED: "detected", Repeat.UNSAFE: "unsafe: at most once"}


def reference() -> str:
    """Return the whole page. Equal tables give equal text."""
    parts = [HEAD, _overview(), _losses(), _not_written(), "## Columns", _columns_head()]
    parts += [_section(spec) for spec in IMPORTS.values()]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


def _overview() -> str:
    rows = [
        (f"[`{spec.name}`](#{spec.name})", _modes(spec), spec.id_rule, REPEATS[spec.repeat], _requests(spec))
        for spec in IMPORTS.values()
    ]
    return "## All of them\n\n" + _table(("object", "modes", "id", "repeat", "requests per record"), rows)


def _losses() -> str:
    rows = [(f"`{spec.name}`", "; ".join(spec.not_kept)) for spec in IMPORTS.values() if spec.not_kept]
    rows += [(f"`{spec.name}`", f"it {spec.contacts_people}; this cannot be undone") for spec in _reaching()]
    rows += [
        (f"`{spec.name}` with `--mode delete`", f"deletes {spec.deletes}; this cannot be undone")
        for spec in _deleting()
    ]
    return "## What is lost\n\nWhat Gladly does not keep of a row, and what cannot be undone.\n\n" + _table(
        ("object", "what"), rows
    )


def _reaching() -> list[ImportSpec]:
    return [spec for spec in IMPORTS.values() if spec.contacts_people]


def _deleting() -> list[ImportSpec]:
    return [spec for spec in IMPORTS.values() if spec.deletes]


def _not_written() -> str:
    text = "## Left out\n\nOperations of Gladly's API that write something, but that no import uses.\n\n"
    return text + _table(("operation", "because"), [(f"`{name}`", why) for name, why in NOT_WRITTEN.items()])


def _columns_head() -> str:
    return (
        "A row has these fields as flat columns, or nested as in Gladly's own JSON. `bulkgladly schema show "
        "OBJECT` prints the same. Names (of inboxes, agents, topics, audiences) and keys of earlier imports "
        "can be used instead of ids: [names and keys](importing.md#names-and-keys-instead-of-ids)."
    )


def _section(spec: ImportSpec) -> str:
    columns = schema_command._resource(spec.name)["columns"]
    rows = [(f"`{one['column']}`", f"`{one['nested']}`", str(one["holds"])) for one in columns]
    operations = ", ".join(f"`{name}`" for name in spec.operations)
    return "\n\n".join(
        [f"### {spec.name}", f"Sends {operations}.", _table(("column", "in nested JSON", "holds"), rows)]
    )


def _modes(spec: ImportSpec) -> str:
    modes = list(spec.procedures)
    default = next((mode for mode in DEFAULT_MODES if mode in modes), modes[0])
    ordered = [default, *(mode for mode in modes if mode is not default)]
    return ", ".join(f"`{mode.value}`" for mode in ordered)


def _requests(spec: ImportSpec) -> str:
    return ", ".join(f"{mode.value} {_span(*span)}" for mode, span in spec.requests_per_record.items())


def _span(fewest: int, most: int) -> str:
    return str(fewest) if fewest == most else f"{fewest} to {most}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    return "\n".join(_lines(names, rows))


def _lines(names: list[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for row in rows:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
