"""One line of JSON as an object, refusing whatever the parsers would silently change. Pure.

A JSON parser drops the first of two equal keys, rounds long numbers and carries NUL
characters along. Each line is therefore proven harmless, at the price of about one more
microsecond; the few that are not proven so are read once more by a slow, strict parser.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from bulkgladly.records import Problem, Stage

__all__ = ("parse_object",)

_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1


def parse_object(line: bytes) -> dict[str, Any] | Problem:
    """Return the object on a line, or why it cannot be used as it stands."""
    try:
        value = orjson.loads(line)
        again = orjson.dumps(value)
    except (orjson.JSONDecodeError, TypeError) as exc:
        return _diagnose(line) or _problem("malformed_json", f"not valid JSON: {exc}; correct the line")
    if type(value) is not dict:
        return _problem("not_an_object", f"holds {_kind_of(value)}, not an object; write one {{...}} a line")
    if _is_faithful(line, value, again):
        return value
    return _diagnose(line) or value


def _is_faithful(line: bytes, value: dict[str, Any], again: bytes) -> bool:
    """Tell whether reading certainly lost nothing, given the line, what was read, and that written again.

    A false answer only means doubt. Equal text is proof: nothing was dropped or rounded.
    The other proof has two parts: as many members as the line has keys, and no number with
    so many digits that it could be rounded. The last is equal text once more, as the other
    usual writer has it, with blanks and escapes.
    """
    if b"\\u0000" in line:
        return False
    if line == again:
        return True
    if _has_all_members(line, again) and _has_short_numbers(line):
        return True
    return line == json.dumps(value).encode()


def _has_all_members(line: bytes, again: bytes) -> bool:
    """Compare how often a quote and a colon follow each other, as they do behind every key.

    They also do so within texts, but then in both, unless one of the two is escaped there.
    Keys with a blank before their colon would escape the count.
    """
    if b" :" in line or b"\t:" in line or b"\r:" in line or b"\\u0022" in line or b"\\u003" in line:
        return False
    return line.count(b'":') == again.count(b'":')


def _has_short_numbers(line: bytes) -> bool:
    """Tell whether nothing looks like a number of 16 digits and more, or with an exponent of three."""
    digits = line.translate(_DIGITS, b".+-")
    return b"0" * 16 not in digits and b"e000" not in digits


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def _diagnose(line: bytes) -> Problem | None:
    """Read a line strictly; return what is wrong with it, or None if nothing is."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as exc:
        return _problem(
            "invalid_utf8",
            f"byte {exc.start + 1} is not valid UTF-8; save the file as UTF-8 or say --encoding",
        )
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object_of,
            parse_int=_int_of,
            parse_float=_float_of,
            parse_constant=_constant_of,
        )
        _check_texts(value)
    except _Refused as refused:
        return refused.problem
    except json.JSONDecodeError as exc:
        return _problem("malformed_json", f"not valid JSON: {exc.msg} at character {exc.pos + 1}; correct the line")
    except (RecursionError, ValueError):
        return _problem("too_deep", "objects or numbers are larger than any field of Gladly; simplify the line")
    return None if _depth_is_sane(value) else _problem("too_deep", "nested more than 200 levels; flatten the line")


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(_problem("duplicate_key", f"has the key {twice!r} twice; leave one of them", attr=twice))
    return found


def _int_of(text: str) -> int:
    # The length first: Python refuses to read thousands of digits, and we need not.
    if len(text) > 20 or not _INT_MIN <= int(text) <= _INT_MAX:
        raise _Refused(_unfit_number())
    return int(text)


def _float_of(text: str) -> float:
    number = float(text)
    try:
        is_kept = Decimal(text) == Decimal(repr(number))
    except InvalidOperation:
        is_kept = False
    if not is_kept:
        raise _Refused(_unfit_number())
    return number


def _constant_of(text: str) -> float:
    raise _Refused(_problem("malformed_json", f"{text} is no JSON value; write null or leave the field out"))


def _check_texts(value: Any) -> None:
    """Raise on the first text, keys included, that has a NUL or half a surrogate pair."""
    match value:
        case str():
            if "\0" in value:
                raise _Refused(_problem("nul_character", "has a NUL character (\\u0000) in a text; remove it"))
            if not _is_encodable(value):
                raise _Refused(
                    _problem(
                        "lone_surrogate",
                        "has half a surrogate pair (\\ud800 to \\udfff); write the whole character",
                    )
                )
        case dict():
            for key, member in value.items():
                _check_texts(key)
                _check_texts(member)
        case list():
            for member in value:
                _check_texts(member)
        case _:
            pass


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _depth_is_sane(value: Any, levels: int = 200) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_depth_is_sane(member, levels - 1) for member in value)


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "true or false", list: "an array", str: "a text"}.get(type(value), "a number")


def _unfit_number() -> Problem:
    return _problem(
        "unfit_number",
        "has a number that cannot be carried exactly (64 bits at most); write it as text, in quotes",
    )


def _problem(code: str, detail: str, *, attr: str | None = None) -> Problem:
    return Problem(code, detail, attr, Stage.READ)
