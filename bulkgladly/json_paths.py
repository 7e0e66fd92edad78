"""Names of places in a JSON object: `content.attachments[0].size`. Pure.

A key that is not a plain word is written as JSON text in brackets, `content["a.b"]`, so that
each path names one place only, whatever the keys are.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

__all__ = ("Path", "expression_mistake", "general", "parsed", "put", "shown")

Path = tuple[str | int, ...]
"""Keys and list indexes from the top of a line."""

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_STEP = re.compile(r'\.?([A-Za-z_$][A-Za-z0-9_$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


_OF_LIBRARY = re.compile(r"(Bad|Invalid) jmespath expression: ", re.IGNORECASE)


def expression_mistake(error: Exception) -> str:
    """Return what is wrong with a JMESPath, in the words of the library's error, without the picture of the place."""
    return _OF_LIBRARY.sub("", str(error).partition("\n")[0]).rstrip(":.")


def shown(path: Path) -> str:
    """Return a path as text."""
    return "".join(_steps(path)).removeprefix(".")


def general(path: Path) -> str:
    """Return a path as text with `[]` for each place in a list, for counting."""
    return "".join("[]" if isinstance(step, int) else text for step, text in zip(path, _steps(path), strict=True))[
        1 if path and isinstance(path[0], str) and _PLAIN.fullmatch(path[0]) else 0 :
    ]


def parsed(text: str) -> Path:
    """Return the path of a text that `shown` has made.

    Raises:
        ValueError: It is not such a text.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"not a path: {text!r}")
        plain, index, quoted = found.groups()
        steps.append(plain if plain is not None else int(index) if index is not None else orjson.loads(quoted))
        at = found.end()
    return tuple(steps)


def put(target: dict[str, Any], path: Path, value: Any) -> None:
    """Set the value at a path, and create missing objects on the way; lists must be long enough."""
    place: Any = target
    for step in path[:-1]:
        if isinstance(place, dict):
            place = place.setdefault(step, {})
        else:
            place[step] = place[step] if place[step] is not None else {}
            place = place[step]
    place[path[-1]] = value


def _steps(path: Path) -> Iterator[str]:
    for step in path:
        if isinstance(step, int):
            yield f"[{step}]"
        else:
            yield f".{step}" if _PLAIN.fullmatch(step) else f"[{orjson.dumps(step).decode()}]"
