"""The JSON of a list as lines: the text of each element as it came, on a line of its own. Pure.

The text of an element is not parsed and written again: a number keeps all of its digits, a
text its escapes. Only newlines between tokens become blanks.

By hand, since an element with half a surrogate pair, or NaN, must not spoil the others: a
decoder of raw slices, as msgspec has it, refuses the list as a whole.
"""

import json
from collections.abc import Iterator, Mapping

import orjson

__all__ = ("Unreadable", "elements_of", "spliced")

_BLANKS = " \t\r\n"
_NO_NEWLINES = str.maketrans("\r\n", "  ")
# Only the extent of each element is wanted, so no number is made: some have more digits than int() takes.
_EXTENTS = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)


class Unreadable(ValueError):
    """The body is not what was asked for: no JSON, or of another kind. The message holds nothing of it."""


def elements_of(body: bytes, *, is_list: bool) -> list[bytes]:
    """Return the elements of a list, or the one object, each as a line without its newline.

    An element of a list may be anything; what is no object is for the converter to refuse.
    Bytes that are no UTF-8 stay as they are, so that they spoil their own line only.

    Raises:
        Unreadable: The body is no JSON, has something behind its end, or is no list (no object).
    """
    text = body.decode("utf-8-sig", "surrogateescape")
    try:
        found = list(_listed(text)) if is_list else [_whole(text)]
    except json.JSONDecodeError as exc:
        raise Unreadable(f"the answer is no JSON: {exc.msg} at character {exc.pos} of {len(text)}") from exc
    except RecursionError as exc:
        raise Unreadable("the answer is nested too deeply") from exc
    return [element.translate(_NO_NEWLINES).encode("utf-8", "surrogateescape") for element in found]


def spliced(line: bytes, members: Mapping[str, str]) -> bytes:
    """Return an object's line with texts added in front; any other line as it is."""
    if line[:1] != b"{" or not members:
        return line
    head = orjson.dumps(members)[:-1]
    rest = line[1:].lstrip()
    return head + (b"" if rest == b"}" else b",") + rest


def _listed(text: str) -> Iterator[str]:
    at = _past_blanks(text, 0)
    if text[at : at + 1] != "[":
        raise Unreadable("the answer is no list")
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
        raise Unreadable("the answer is no object")
    return text[at:end]


def _end(text: str, at: int) -> None:
    if (rest := _past_blanks(text, at)) != len(text):
        raise json.JSONDecodeError("something stands behind the end", text, rest)


def _past_blanks(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANKS:
        at += 1
    return at
