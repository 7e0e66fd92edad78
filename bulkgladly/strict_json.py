"""JSON from outside, read without changing anything in it. Pure.

A JSON parser drops the first of two equal keys, rounds long numbers and keeps NUL characters.
JSON from a user's file is therefore proven harmless, or refused (`parse_object`); JSON from
Gladly is kept as it is (`exact_object`, `exact_value`). Both try a quick parser first, and use a
strict one, ten times slower, only if the quick one may have changed something.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from bulkgladly.records import Problem, Stage

__all__ = ("Unusable", "exact_object", "exact_value", "parse_object")

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1
_INT_DIGITS = 20  # of the longest of them, a minus included
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
# Numbers that a float, or a 64-bit integer, may not give back as they were written.
_LONG_NUMBER = re.compile(rb"[0-9]{16}|[0-9][eE]|-0(?![.0-9])|\.[0-9]{15}|\.[0-9]*0(?![0-9])")


class Unusable(ValueError):
    """A line is not a row: `code` is stable, the message is for people and contains no value of the line."""

    def __init__(self, code: str, detail: str, *, key: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.key = key
        """The key that occurs twice."""


# --- the slow parser: it checks each number as text, and each object as a list of its members ---


def _parser(
    unfit: Callable[[str], Any],
    *,
    is_fit: Callable[[str, int | float], bool],
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> json.JSONDecoder:
    """Return a parser that replaces each number that is not fit by what `unfit` returns for its text."""

    def whole(text: str) -> Any:
        # The length first: Python refuses to read thousands of digits.
        number = int(text) if len(text) <= _INT_DIGITS else None
        return number if number is not None and _INT_MIN <= number <= _INT_MAX and is_fit(text, number) else unfit(text)

    def broken(text: str) -> Any:
        number = float(text)
        return number if is_fit(text, number) else unfit(text)

    return json.JSONDecoder(
        object_pairs_hook=pairs, parse_int=whole, parse_float=broken, parse_constant=_refuse_constant
    )


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unusable("duplicate_key", "has a key twice", key=twice)
    return found


def _has_its_value(text: str, number: float) -> bool:
    try:
        return type(number) is int or Decimal(text) == Decimal(repr(number))
    except InvalidOperation:
        return False


def _is_written_so(text: str, number: float) -> bool:
    return orjson.dumps(number) == text.encode()


def _refuse_number(_: str) -> Any:
    raise Unusable("unfit_number", "has a number that cannot be kept exactly (64 bits at most)")


def _refuse_constant(text: str) -> Any:
    raise Unusable("malformed_json", f"{text} is not a JSON value")


_REFUSING = _parser(_refuse_number, is_fit=_has_its_value, pairs=_object_of)
_KEEPING = _parser(orjson.Fragment, is_fit=_has_its_value, pairs=_object_of)
_AS_WRITTEN = _parser(orjson.Fragment, is_fit=_is_written_so)


# --- JSON from Gladly: numbers that Python would round are kept as text ---


def exact_object(line: bytes) -> dict[str, Any]:
    """Return the object on a line; numbers that Python would round are kept as JSON text.

    Raises:
        Unusable: It is not JSON, not an object, has a key twice or is nested too deeply.
    """
    try:
        value = orjson.loads(line)
        again = orjson.dumps(value)
    except orjson.JSONDecodeError as exc:
        raise _not_json(line, exc) from exc
    except TypeError as exc:
        raise Unusable("too_deep", "nested too deeply") from exc
    if again != line:
        # Perhaps only blanks or escapes differ; the strict parser finds out.
        try:
            value = _KEEPING.decode(line.decode())
        except (json.JSONDecodeError, RecursionError) as exc:
            raise Unusable("too_deep", "nested too deeply") from exc
    if type(value) is not dict:
        raise Unusable("not_an_object", "holds a JSON value that is not an object")
    return value


def _not_json(line: bytes, exc: orjson.JSONDecodeError) -> Unusable:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return Unusable("invalid_utf8", f"byte {wrong.start + 1} is not valid UTF-8")
    if b"\0" in line:
        return Unusable("nul_byte", f"byte {line.index(0) + 1} is NUL")
    return Unusable("malformed_json", f"not valid JSON: {exc.msg}, character {exc.pos + 1}")


def exact_value(body: bytes) -> Any:
    """Return the JSON of a reply; each number can be written again exactly as it came.

    A number that Python would write differently becomes an `orjson.Fragment`, which equals
    nothing and is written as it came. Of two equal keys the last counts.

    Raises:
        ValueError: It is not JSON (a page, nothing, truncated).
    """
    plain = orjson.loads(body)
    if _LONG_NUMBER.search(body) is None:
        return plain
    return _AS_WRITTEN.decode(body.decode())


# --- JSON from users: refused if reading would change it, with what to do ---


def parse_object(line: bytes) -> dict[str, Any] | Problem:
    """Return the object on a line, or why it cannot be used.

    The proof that reading has lost nothing takes about a microsecond.
    """
    try:
        value = orjson.loads(line)
        again = orjson.dumps(value)
    except (orjson.JSONDecodeError, TypeError) as exc:
        return _diagnose(line) or _problem("malformed_json", f"not valid JSON: {exc}; correct the line")
    if type(value) is not dict:
        return _problem("not_an_object", f"holds {_kind_of(value)}, not an object; write one {{...}} per line")
    if _is_faithful(line, value, again):
        return value
    return _diagnose(line) or value


def _is_faithful(line: bytes, value: dict[str, Any], again: bytes) -> bool:
    """Tell whether reading certainly lost nothing, given the line, the value read, and that value written again.

    False only means doubt. There are three proofs. Equal text: nothing was dropped or rounded. As
    many members as the line has keys, and no number with so many digits that it could be rounded.
    Equal text as Python's own writer writes it, with blanks and escapes.
    """
    if b"\\u0000" in line:
        return False
    if line == again:
        return True
    if _has_all_members(line, again) and _has_short_numbers(line):
        return True
    return line == json.dumps(value).encode()


def _has_all_members(line: bytes, again: bytes) -> bool:
    """Compare how often a quote is followed by a colon, as at the end of each key.

    Within texts that occurs in both lines equally, unless one of the two characters is escaped. A key
    with a blank before its colon would not be counted.
    """
    if b" :" in line or b"\t:" in line or b"\r:" in line or b"\\u0022" in line or b"\\u003" in line:
        return False
    return line.count(b'":') == again.count(b'":')


def _has_short_numbers(line: bytes) -> bool:
    """Tell whether no number has 16 digits or more, or an exponent of three digits."""
    digits = line.translate(_DIGITS, b".+-")
    return b"0" * 16 not in digits and b"e000" not in digits


def _diagnose(line: bytes) -> Problem | None:
    """Read a line with the strict parser; return what is wrong with it, or None."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as exc:
        return _problem(
            "invalid_utf8",
            f"byte {exc.start + 1} is not valid UTF-8; save the file as UTF-8 or pass --encoding",
        )
    try:
        if text.startswith("\ufeff"):
            raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
        value = _REFUSING.decode(text)
        _check_texts(value)
    except Unusable as refused:
        return _problem(refused.code, _advised(refused), attr=refused.key)
    except json.JSONDecodeError as exc:
        return _problem("malformed_json", f"not valid JSON: {exc.msg} at character {exc.pos + 1}; correct the line")
    except (RecursionError, ValueError):
        return _problem("too_deep", "nested too deeply, or a number is too long; simplify the line")
    return None if _depth_is_sane(value) else _problem("too_deep", "nested more than 200 levels; flatten the line")


_ADVICE = {
    "unfit_number": "write it as text, in quotes",
    "malformed_json": "write null or leave the field out",
    "nul_character": "remove it",
    "lone_surrogate": "write the whole character",
}


def _advised(refused: Unusable) -> str:
    if refused.key is not None:
        return f"has the key {refused.key!r} twice; keep one of them"
    return f"{refused}; {_ADVICE[refused.code]}"


def _check_texts(value: Any) -> None:
    """Raise `Unusable` for the first text, keys included, that has a NUL or half a surrogate pair."""
    match value:
        case str():
            if "\0" in value:
                raise Unusable("nul_character", "has a NUL character (\\u0000) in a text")
            if not _is_encodable(value):
                raise Unusable("lone_surrogate", "has half a surrogate pair (\\ud800 to \\udfff)")
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


def _problem(code: str, detail: str, *, attr: str | None = None) -> Problem:
    return Problem(code, detail, attr, Stage.READ)
