"""Cuts a JSON list into lines: the text of each element, unchanged, on its own line. Pure.

Elements are not parsed and written again, so a number keeps all its digits and a text its
escapes. Only newlines between tokens become blanks.

It is done by hand, since an element with half a surrogate pair, or NaN, must not spoil the others:
a decoder of raw slices, such as msgspec's, refuses the list as a whole.
"""

import json
from collections.abc import Iterator, Mapping

import orjson

__all__ = ("Unreadable", "elements_of", "spliced")

_BLANKS = " \t\r\n"
_NO_NEWLINES = str.maketrans("\r\n", "  ")
# Only the extent of each element is needed, so numbers are not converted: some have more digits than int() takes.
_EXTENTS = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)


class Unreadable(ValueError):
    """The body is not JSON, or not of the expected kind. The message contains nothing of it."""


def elements_of(body: bytes, *, is_list: bool) -> list[bytes]:
    """Return the elements of a list, or the one object, each as a line without newline.

    An element of a list may be anything; the converter refuses those that are not objects.
    Bytes that are not UTF-8 stay as they are, so that they spoil their own line only.

    Raises:
        Unreadable: The body is not JSON, has more after its end, or is not a list (not an object).
    """
    text = body.decode("utf-8-sig", "surrogateescape")
    try:
        found = list(_listed(text)) if is_list else [_whole(text)]
    except json.JSONDecodeError as exc:
        raise Unreadable(f"the response is not JSON: {exc.msg} at character {exc.pos} of {len(text)}") from exc
    except RecursionError as exc:
        raise Unreadable("the response is nested too deeply") from exc
    return [element.translate(_NO_NEWLINES).encode("utf-8", "surrogateescape") for element in found]


def spliced(line: bytes, members: Mapping[str, str]) -> bytes:
    """Return an object's line with members added in front; any other line unchanged."""
    if line[:1] != b"{" or not members:
        return line
    head = orjson.dumps(members)[:-1]
    rest = line[1:].lstrip()
    return head + (b"" if rest == b"}" else b",") + rest


def _listed(text: str) -> Iterator[str]:
    at = _past_blanks(text, 0)
    if text[at : at + 1] != "[":
        raise Unreadable("the response is not a list")
    at = _past_blanks(text, at + 1)
    if text[at : at + 1] == "]":
        _end(text, at + 1)
        return
    while True:
        _, end = _EXTENTS.raw_decode(text, at)
        yield text[at:end]
        at = _past_blanks(text, end)
        if text[at : at + 1] == "]":
            _end(text, at + 1)
            return
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("a comma or the end of the list is missing", text, at)
        at = _past_blanks(text, at + 1)


def _whole(text: str) -> str:
    at = _past_blanks(text, 0)
    value, end = _EXTENTS.raw_decode(text, at)
    _end(text, end)
    if not isinstance(value, dict):
        raise Unreadable("the response is not an object")
    return text[at:end]


def _end(text: str, at: int) -> None:
    if (rest := _past_blanks(text, at)) != len(text):
        raise json.JSONDecodeError("more data after the end", text, rest)


def _past_blanks(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANKS:
        at += 1
    return at
