"""Reads a table of a mapping file key by key; errors name the file, the table and the key. Pure."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Self

from bulkgladly.choices import closest, unsupported
from bulkgladly.errors import UsageError

__all__ = ("Table",)

_WORDS = {str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}


class Table:
    """One table of the file. Keys are read one by one; `finish` refuses those that were never asked for."""

    def __init__(self, file: str, name: str, content: Mapping[str, Any]) -> None:
        self.file, self.name = file, name
        self._content = content
        self._asked: list[str] = []

    @classmethod
    def of_text(cls, text: str, file: str) -> Self:
        """Return the outermost table of a TOML text; `file` is its name in messages.

        Raises:
            UsageError: It is not TOML.
        """
        try:
            return cls(file, "", tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{file}: is not valid TOML: {error}") from error

    def check_version(self, version: int) -> None:
        """Refuse a file that is not of this version."""
        found = self.value("version")
        if found is None:
            self.fail("version", f"is missing; start the file with version = {version}")
        if found != version:
            self.fail("version", f"{found!r} is not supported; this version of bulkgladly reads version {version}")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def given(self, keys: Iterable[str]) -> list[str]:
        """Return those of the keys that the table has."""
        return [key for key in keys if key in self._content]

    def fail(self, key: str, message: str) -> NoReturn:
        """Refuse the file because of the value of a key."""
        where = f"[{self.name}] {key}" if self.name else key
        raise UsageError(f"{self.file}: {where}: {message}")

    def value(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, whatever its type."""
        self._asked.append(key)
        return self._content.get(key, default)

    def plain(self, key: str, default: Any = None) -> Any:
        """Return the value of a key; refuse it if JSON cannot hold it."""
        found = self.value(key, default)
        if key in self._content and not _is_plain(found):
            self.fail(key, "cannot be written as JSON; write dates and times as texts, in quotes")
        return found

    def text(self, key: str) -> str | None:
        """Return a text, or None if the key is missing."""
        found: str | None = self._typed(key, str)
        return found

    def flag(self, key: str) -> bool:
        """Return true or false; false if the key is missing."""
        return bool(self._typed(key, bool))

    def number(self, key: str) -> int | None:
        """Return a whole number, or None if the key is missing."""
        found: int | None = self._typed(key, int)
        return found

    def choice(self, key: str, choices: Iterable[str]) -> str | None:
        """Return one of the choices, or None if the key is missing."""
        found, choices = self.text(key), tuple(choices)
        if found is not None and found not in choices:
            meant = closest(found, choices)
            hint = f"; did you mean {meant!r}?" if meant else ""
            self.fail(key, f"{unsupported(found, choices)}{hint}")
        return found

    def table(self, key: str) -> "Table | None":
        """Return the table under a key, or None if the key is missing."""
        found = self._typed(key, dict)
        return None if found is None else Table(self.file, f"{self.name}.{key}" if self.name else key, found)

    def items(self) -> Iterable[tuple[str, Any]]:
        """Yield all keys and values, in the order of the file; they count as read."""
        self._asked += self._content
        yield from self._content.items()

    def finish(self) -> None:
        """Refuse keys that nobody has asked for.

        Raises:
            UsageError: There is one; the message suggests a known one.
        """
        for key in self._content:
            if key not in self._asked:
                meant = closest(key, self._asked)
                hint = f"did you mean {meant}?" if meant else f"choose from {', '.join(dict.fromkeys(self._asked))}"
                self.fail(key, f"is not a known option; {hint}")

    def _typed(self, key: str, kind: type) -> Any:
        found = self.value(key)
        if found is not None and (not isinstance(found, kind) or (kind is int and isinstance(found, bool))):
            self.fail(key, f"must be {_WORDS[kind]}")
        return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(member) for member in value.values())
    if isinstance(value, list):
        return all(_is_plain(member) for member in value)
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
