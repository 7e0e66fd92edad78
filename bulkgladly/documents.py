"""Writes our own JSON documents and reads them strictly: each member present and of its type, none left over. Pure."""

import datetime as dt
from typing import Any

import orjson

__all__ = ("Members", "as_json", "members_of")


def as_json(content: Any) -> bytes:
    """Return a document as JSON with its times in UTC. Equal documents give equal bytes."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


class Members:
    """The members of a JSON object, taken out one by one.

    Raises:
        ValueError: From every method: a member is missing or is not of the type asked for.
    """

    def __init__(self, found: Any, where: str = "the document") -> None:
        if type(found) is not dict:
            raise ValueError(f"{where} is not a JSON object")
        self._left: dict[str, Any] = dict(found)
        self._where = where
        self.format = 0
        """Which format the document says it has, where `members_of` has looked."""

    def text(self, name: str) -> str:
        """Take a text."""
        found: str = self._of(name, str)
        return found

    def text_or_none(self, name: str) -> str | None:
        """Take a text or null."""
        return None if self._is_null(name) else self.text(name)

    def count(self, name: str) -> int:
        """Take a whole number that is not negative."""
        found: int = self._of(name, int)
        if found < 0:
            raise ValueError(f"{name} of {self._where} is negative")
        return found

    def count_or_none(self, name: str) -> int | None:
        """Take a whole number that is not negative, or null."""
        return None if self._is_null(name) else self.count(name)

    def time(self, name: str) -> dt.datetime:
        """Take a time with its zone."""
        return self._time(name, self.text(name))

    def time_or_none(self, name: str) -> dt.datetime | None:
        """Take a time or null."""
        return None if self._is_null(name) else self.time(name)

    def times_or_none(self, name: str) -> list[dt.datetime] | None:
        """Take a list of times, or null."""
        return None if self._is_null(name) else [self._time(name, item) for item in self.items(name)]

    def mapping(self, name: str) -> dict[str, Any]:
        """Take an object as it is."""
        found: dict[str, Any] = self._of(name, dict)
        return found

    def items(self, name: str) -> list[Any]:
        """Take a list as it is."""
        found: list[Any] = self._of(name, list)
        return found

    def objects(self, name: str) -> list["Members"]:
        """Take a list of objects."""
        return [Members(item, f"{name}[{at}]") for at, item in enumerate(self.items(name))]

    def rest(self) -> dict[str, Any]:
        """Return what was not taken yet, and leave it there."""
        return dict(self._left)

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._left:
            raise ValueError(f"{self._where} has {', '.join(sorted(self._left))}, which is not known")

    def _time(self, name: str, found: Any) -> dt.datetime:
        time = dt.datetime.fromisoformat(found) if type(found) is str else None
        if time is None or time.tzinfo is None:
            raise ValueError(f"{name} of {self._where} is not a time with a zone")
        return time.astimezone(dt.UTC)

    def _is_null(self, name: str) -> bool:
        if name in self._left and self._left[name] is None:
            del self._left[name]
            return True
        return False

    def _of(self, name: str, wanted: type) -> Any:
        if name not in self._left:
            raise ValueError(f"{self._where} has no {name}")
        found = self._left.pop(name)
        if type(found) is not wanted:
            raise ValueError(f"{name} of {self._where} is not a {wanted.__name__}")
        return found


def members_of(content: bytes, newest: int) -> Members | None:
    """Return the members of a document whose `format` is not newer than ours; None where it is newer.

    Raises:
        ValueError: It is not such a document.
    """
    members = Members(orjson.loads(content))
    members.format = members.count("format")
    return members if members.format <= newest else None
