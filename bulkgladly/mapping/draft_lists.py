"""Lists in rows that could be records: a ticket's comments, and lists of nothing but ids. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bulkgladly.mapping.column_profiles import Profile
from bulkgladly.mapping.column_shapes import shown
from bulkgladly.mapping.draft_lines import DraftLine, source_option, toml
from bulkgladly.mapping.draft_targets import Target, normal_name
from bulkgladly.mapping.row_values import Fields, is_empty

__all__ = (
    "RecordList",
    "could_be_records",
    "each_hint",
    "each_table",
    "id_list_lines",
    "record_list",
    "rows_of_elements",
)

MOST_ELEMENTS = 10_000
_BODIES = frozenset({"body", "htmlbody", "plainbody", "bodytext", "text", "message", "content", "comment", "note"})
_TIMES = frozenset({"createdat", "created", "createdon", "sentat", "timestamp", "date", "datetime", "time"})
_IDS = ("id", "key", "uuid", "number", "no")
_TOPICS = {"topicid": "topicIds", "topicids": "topicIds", "topic": "topics", "topics": "topics"}


class RecordList(NamedTuple):
    """A list in the rows whose elements are the records: its column, the name of an element, and of its key."""

    column: str
    element: str
    key: str | None


def record_list(rows: Sequence[Fields], targets: Sequence[Target]) -> RecordList | None:
    """Return the list whose elements have a text and a time, if the object is something on a timeline."""
    if not any(target.in_pieces for target in targets):
        return None
    lists: dict[str, list[Mapping[str, Any]]] = {}
    others: set[str] = set()
    for row in rows:
        for name, value in row.items():
            if isinstance(value, list) and value and all(isinstance(element, dict) for element in value):
                lists.setdefault(name, []).extend(value)
            elif not is_empty(value):
                others.add(name)
    for name, elements in lists.items():
        members = {normal_name(member) for element in elements for member in element}
        if name not in others and members & _BODIES and members & _TIMES:
            return RecordList(name, _element_name(name, rows), _key_of(elements))
    return None


def rows_of_elements(rows: Iterable[Fields], found: RecordList) -> list[dict[str, Any]]:
    """Return a row for each of the first elements of the lists, as the fields of a mapping with `[each]` see it."""
    made: list[dict[str, Any]] = []
    for row in rows:
        value = row.get(found.column)
        elements = value if isinstance(value, list) else []
        rest = {name: value for name, value in row.items() if name != found.column}
        made += [{**rest, found.element: element} for element in elements if isinstance(element, dict)]
        if len(made) >= MOST_ELEMENTS:
            break
    return made


def each_table(found: RecordList) -> list[str]:
    """Return the table `[each]` for a list."""
    path = Profile((found.column,)).path
    lines = [
        "",
        f"# Each element of {path} becomes a record. Fields name its parts as {found.element}.PART.",
        "[each]",
        f"of = {toml(path)}",
        f"as = {toml(found.element)}",
    ]
    if found.key is not None:
        lines.append(f"key = {toml({'path': Profile((found.element, found.key)).path})}")
    else:
        lines.append(f'# key = {{ path = "{found.element}.id" }}  # without it, an element is known by its number')
    return [*lines, 'empty = "skip"  # rows without elements are left out; "row" makes one record of the row itself']


def each_hint(profile: Profile) -> list[str]:
    """Return comments that show how to make a record from each element of a list."""
    name = _singular(profile.names[-1])
    most = max(len(value) for value in profile.values)
    elements = [element for value in profile.values for element in value]
    parts = ", ".join(dict.fromkeys(shown(key) for element in elements[:50] for key in element))
    return [
        "",
        f"# {profile.path} is a list (up to {most}). To make a record from each element instead of from the row:",
        "# [each]",
        f"# of = {toml(profile.path)}",
        f"# as = {toml(name)}  # its parts, such as {{ path = {toml(name + '.id')} }}: {parts}",
        f"# key = {{ path = {toml(name + '.id')} }}",
    ]


def could_be_records(profile: Profile) -> bool:
    """Tell whether the elements of a list have a text or a time, as something has that can be a record."""
    members = {normal_name(str(member)) for value in profile.values for element in value for member in element}
    return profile.is_list_of_objects and bool(members & (_BODIES | _TIMES))


def id_list_lines(found: Sequence[Profile], to: str) -> list[DraftLine] | None:
    """Return the lines for rows with nothing but ids, which name what is to be closed; None for other rows."""
    names = {normal_name(profile.label): profile for profile in found if profile.is_column}
    if len(names) != len(found):
        return None
    closed = DraftLine(
        "status", (("constant", "CLOSED"),), "the rows have only ids, so they seem to name what to close"
    )
    if to == "tasks" and set(names) == {"taskid"}:
        return [DraftLine("id", (source_option(names["taskid"]),), "the id in Gladly"), closed]
    if to == "conversations" and "conversationid" in names and set(names) - {"conversationid"} <= set(_TOPICS):
        lines = [DraftLine("conversationId", (source_option(names["conversationid"]),), "the id in Gladly")]
        topics = [DraftLine(_TOPICS[name], (source_option(one),)) for name, one in names.items() if name in _TOPICS]
        force = DraftLine(
            "force", (("constant", True),), "also if the customer waits for a reply; else remove this line"
        )
        return [*lines, *topics, closed, force]
    return None


def _element_name(column: str, rows: Sequence[Fields]) -> str:
    name = _singular(column)
    return name if not any(name in row for row in rows) else "element"


def _singular(name: str) -> str:
    one = f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")
    one = "item" if name.endswith(("us", "ss")) else one
    return one if one.isidentifier() else "item"


def _key_of(elements: Sequence[Mapping[str, Any]]) -> str | None:
    for name in _IDS:
        values = [element.get(name) for element in elements]
        if all(isinstance(value, str | int) and value != "" for value in values):
            return name
    return None
