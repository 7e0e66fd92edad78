"""Resolves names to ids: inboxes, agents, teams, topics and audiences, as the organisation lists them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.records import Problem

__all__ = ("PATH_SEPARATOR", "Directory", "names_below", "path_of")

PATH_SEPARATOR = " / "
"""Separates the names of a topic and its parents, as in `Orders / Returns`."""

# A list that has a circle of parents must not loop forever.
_MOST_PARENTS = 20


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    names: tuple[str, ...]
    is_disabled: bool


class Directory:
    """The names of one organisation."""

    def __init__(self, lists: Mapping[str, Iterable[Mapping[str, Any]]] | None = None) -> None:
        """Index the lists as the API returns them; entries without an id or a name are ignored.

        Without lists (in a dry run), every name is returned unchanged.
        """
        self._was_asked = lists is not None
        self._entries = {kind: tuple(_entries(kind, list(objects))) for kind, objects in (lists or {}).items()}
        self._exact = {kind: _index(entries, fold=False) for kind, entries in self._entries.items()}
        self._folded = {kind: _index(entries, fold=True) for kind, entries in self._entries.items()}

    def resolve(self, kind: str, name: str, attr: str) -> str | Problem:
        """Return the id of a name, or why it has none or several.

        An agent is named by email address or name, a topic by its name or by its path from the
        top. Case matters only if names differ by nothing else. A disabled entry is found only if
        no other has the name, and is a problem: Gladly assigns nothing to a disabled inbox and
        does not apply an archived topic.
        """
        if not self._was_asked:
            return name
        found = self._find(kind, name.strip())
        if not found and kind == "topic":
            # `Orders/Returns` is a path, unless a topic has exactly that name.
            found = self._find(kind, path_of([part.strip() for part in name.split("/")]))
        active = [entry for entry in found if not entry.is_disabled]
        if len(active) == 1:
            return active[0].id
        if len(active) > 1:
            ids = ", ".join(sorted(entry.id for entry in active)[:5])
            return Problem("ambiguous_name", f"{attr}: {len(active)} {kind} entries have this name: {ids}", attr)
        if found:
            return Problem("disabled_name", f"{attr}: the {kind} of this name is disabled in Gladly", attr)
        return Problem("unknown_name", f"{attr}: the organisation has no {kind} of this name", attr)

    def _find(self, kind: str, name: str) -> "tuple[_Entry, ...]":
        return self._exact.get(kind, {}).get(name) or self._folded.get(kind, {}).get(name.casefold()) or ()


def names_below(path: str) -> tuple[str, ...]:
    """Return the names in a topic's path, from the top down: `Orders / Returns` has two."""
    return tuple(part.strip() for part in path.split(PATH_SEPARATOR) if part.strip())


def path_of(names: Sequence[str]) -> str:
    """Return the path of a topic from its names, from the top down."""
    return PATH_SEPARATOR.join(names)


def _entries(kind: str, objects: Sequence[Mapping[str, Any]]) -> Iterable[_Entry]:
    by_id = {str(item["id"]): item for item in objects if item.get("id")}
    for identity, item in by_id.items():
        names: tuple[str, ...]
        if kind == "topic":
            path = _path(item, by_id)
            names = tuple(dict.fromkeys((path_of(path), *([path[-1]] if path else []))))
        elif kind == "agent":
            names = (str(item.get("emailAddress") or ""), str(item.get("name") or ""))
        else:
            names = (str(item.get("name") or ""),)
        yield _Entry(identity, tuple(name.strip() for name in names if name.strip()), item.get("disabled") is True)


def _path(topic: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> list[str]:
    names: list[str] = []
    at: Mapping[str, Any] | None = topic
    while at is not None and len(names) < _MOST_PARENTS:
        names.insert(0, str(at.get("name") or "").strip())
        at = by_id.get(str(at.get("parentId") or ""))
    return names


def _index(entries: Iterable[_Entry], *, fold: bool) -> dict[str, tuple[_Entry, ...]]:
    index: dict[str, tuple[_Entry, ...]] = {}
    for entry in entries:
        for name in dict.fromkeys(name.casefold() if fold else name for name in entry.names):
            index[name] = (*index.get(name, ()), entry)
    return index
