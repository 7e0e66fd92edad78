"""What a table lacks because a data set was not exported, and the command that exports it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bulkgladly.builds.build_columns import AGENT_INTERVALS, CONTACT_LIFECYCLES, CONVERSATIONS
from bulkgladly.builds.conversation_rows import ITEM_SETS, REPORT
from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.plain_rows import has_rows

__all__ = ("MissingSet", "missing_sets", "refuse_without_rows")


class _Need(NamedTuple):
    any_of: tuple[str, ...]
    fills: str
    command: tuple[str, ...]


class MissingSet(NamedTuple):
    """Data sets of which none has rows: what is null without them, and the command that fills one of them."""

    names: tuple[str, ...]
    fills: str
    command: str


_FROM = ("--from-dataset", "{lake}", "--out", "{lake}")
_AGENTS = _Need(("agents-list", "agents"), "the names of agents", ("export", "agents-list", "--out", "{lake}"))
_INBOXES = _Need(("inboxes",), "the names of inboxes", ("export", "inboxes", "--out", "{lake}"))
_NEEDS: dict[str, tuple[_Need, ...]] = {
    CONVERSATIONS: (
        _Need(ITEM_SETS, "messages and text", ("dump", "{lake}")),
        _Need(("conversations",), "inbox, agent, topics and the present status", ("export", "conversations", *_FROM)),
        _Need(("profiles", "customers"), "the names of customers", ("export", "profiles", *_FROM)),
        _AGENTS,
        _INBOXES,
        _Need(("topics-list", "topics"), "the names of topics", ("export", "topics-list", "--out", "{lake}")),
    ),
    AGENT_INTERVALS: (_AGENTS,),
    CONTACT_LIFECYCLES: (_AGENTS, _INBOXES),
}
_SOURCES: dict[str, tuple[str, ...]] = {
    CONVERSATIONS: (*ITEM_SETS, "conversations", REPORT),
    AGENT_INTERVALS: ("events",),
    CONTACT_LIFECYCLES: ("events",),
}


def refuse_without_rows(folder: Catalogue, table: str) -> None:
    """Refuse a folder into which nothing was exported of what the rows of a table are made of.

    Raises:
        UsageError: So it is.
    """
    if not set(_SOURCES[table]) & set(folder.data_sets()):
        fix = next_command("dump", folder.path)
        wanted = ", ".join(_SOURCES[table])
        raise UsageError(f"{folder.path} has no rows of {wanted}, so there are no {table}; run `{fix}` to fetch them")


def missing_sets(folder: Catalogue, table: str) -> Iterator[MissingSet]:
    """Yield what would fill columns of a table, and is not in the folder."""
    for need in _NEEDS[table]:
        if not any(has_rows(folder, name) for name in need.any_of):
            yield MissingSet(need.any_of, need.fills, next_command(*_placed(need.command, folder)))


def _placed(command: Sequence[str], folder: Catalogue) -> Iterator[str]:
    yield from (str(folder.path) if word == "{lake}" else word for word in command)
