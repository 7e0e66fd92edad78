"""Rows that note which of their values a function looks at, as paths such as `comments[].author_id`."""

from typing import Any

__all__ = ("WatchedRow", "watched_row")


class WatchedRow(dict[str, Any]):
    """An object of a row. A value that is only copied, with the object that holds it, does not count as looked at."""

    def __init__(self, content: dict[str, Any], path: str, seen: set[str]) -> None:
        self._path, self._seen = path, seen
        super().__init__({name: _watched(value, self._place(name), seen) for name, value in content.items()})

    def __getitem__(self, name: str) -> Any:
        """Return a value, and note that it was looked at."""
        return self._noted(name, super().__getitem__(name))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, and note that it was looked at."""
        return self._noted(name, super().get(name, default))

    def pop(self, name: str, *default: Any) -> Any:
        """Take a value out, and note that it was looked at."""
        return self._noted(name, super().pop(name, *default))

    def _noted(self, name: str, value: Any) -> Any:
        # Of an object it is not known yet which of its values are meant.
        if isinstance(value, list):
            if value and not any(isinstance(one, dict | list) for one in value):
                self._seen.add(f"{self._place(name)}[]")
        elif not isinstance(value, dict):
            self._seen.add(self._place(name))
        return value

    def _place(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def watched_row(fields: dict[str, Any], seen: set[str]) -> WatchedRow:
    """Return a copy of a row that adds to `seen` the paths of the values that are looked at."""
    return WatchedRow(fields, "", seen)


def _watched(value: Any, path: str, seen: set[str]) -> Any:
    if isinstance(value, dict):
        return WatchedRow(value, path, seen)
    return [_watched(one, f"{path}[]", seen) for one in value] if isinstance(value, list) else value
