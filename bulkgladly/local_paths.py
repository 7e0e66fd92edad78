"""Paths as people pass them: text or `Path`, and always on this machine."""

import os
import re
from pathlib import Path
from typing import overload

from bulkgladly.errors import UsageError

__all__ = ("AnyPath", "LocalPath", "OptionalPath", "local_path")

AnyPath = str | os.PathLike[str]
"""A path as Python's own functions take it."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(/?)(.*)", re.DOTALL)


def local_path(value: AnyPath, *, what: str = "") -> Path:
    """Return a path on this machine. `what` names the flag or the option in messages.

    Raises:
        UsageError: It is a URL, which would become a local folder of that name.
    """
    text = os.fspath(value)
    found = _URL.match(text)
    if found is None or (isinstance(value, str) and not found[2]):  # a `Path` keeps one of the two slashes only
        return Path(value)
    url = f"{found[1]}://{found[3]}"
    raise UsageError(
        f"{f'{what} ' if what else ''}{url} is a URL, not a local path; bulkgladly reads and writes local files only. "
        "Use a local path; `bulkgladly dataset push` and `pull` copy data sets to and from buckets"
    )


class LocalPath:
    """A field of a dataclass that takes text or a path, and holds a `Path`. The dataclass must not have slots."""

    def __init__(self, default: AnyPath | None = None) -> None:
        self._default = default
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, one: None, owner: type) -> AnyPath: ...
    @overload
    def __get__(self, one: object, owner: type) -> Path: ...
    def __get__(self, one: object | None, owner: type) -> AnyPath:
        if one is None:
            if self._default is None:
                raise AttributeError(self._name)  # tells the dataclass that there is no default
            return self._default
        found: Path = one.__dict__[self._name]
        return found

    def __set__(self, one: object, value: AnyPath) -> None:
        one.__dict__[self._name] = local_path(value)


class OptionalPath:
    """The same for a path that may be None, which is the default."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, one: None, owner: type) -> None: ...
    @overload
    def __get__(self, one: object, owner: type) -> Path | None: ...
    def __get__(self, one: object | None, owner: type) -> Path | None:
        found: Path | None = None if one is None else one.__dict__[self._name]
        return found

    def __set__(self, one: object, value: AnyPath | None) -> None:
        one.__dict__[self._name] = None if value is None else local_path(value)
