"""The names of agents, inboxes and topics by id, as a data set has them. Few enough to be held in memory."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.plain_rows import AGE, plain_rows

__all__ = ("DirectoryNames", "names_in")

_MOST_LEVELS = 10
"""A topic that is its own parent must not have a path without an end."""


class DirectoryNames(NamedTuple):
    """Names by id; what a data set does not have is missing."""

    agents: Mapping[str, str]
    inboxes: Mapping[str, str]
    topics: Mapping[str, str]
    """The names of the parents are part of it: `Orders > Late orders`."""


def names_in(folder: Catalogue) -> DirectoryNames:
    """Return the newest names; those of the live lists come before those of export jobs.

    Raises:
        InputError: A part is missing or cannot be read.
    """
    agents = _newest(folder, ("agents", "agents-list"), ("id", "name"))
    inboxes = _newest(folder, ("inboxes",), ("id", "name"))
    topics = _newest(folder, ("topics", "topics-list"), ("id", "name", "parentId"))
    paths = {one: " > ".join(reversed([*_upwards(topics, one)])) for one in topics}
    return DirectoryNames(_named(agents), _named(inboxes), {one: path for one, path in paths.items() if path})


def _newest(folder: Catalogue, names: Sequence[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rows by id: of the last data set that has it, and there the newest."""
    found: dict[str, dict[str, Any]] = {}
    ages: dict[str, tuple[int, int]] = {}
    for rank, name in enumerate(names):
        for row in plain_rows(folder, name, columns):
            one, age = row["id"], (rank, row[AGE])
            if one is not None and age >= ages.get(one, age):
                found[one], ages[one] = row, age
    return found


def _named(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {one: row["name"] for one, row in rows.items() if row["name"] is not None}


def _upwards(topics: Mapping[str, Mapping[str, Any]], one: str | None) -> Iterator[str]:
    for _ in range(_MOST_LEVELS):
        row = topics.get(one) if one is not None else None
        if row is None or row["name"] is None:
            return
        yield row["name"]
        one = row["parentId"]
