"""One line of JSON as an object, with nothing dropped or rounded. Pure."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

__all__ = ("Unusable", "exact_object")

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1


class Unusable(ValueError):
    """A line is no row: `code` is stable, the message is for people and holds no value of the line."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def exact_object(line: bytes) -> dict[str, Any]:
    """Return the object on a line; numbers that Python would round are kept as their JSON text.

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
        # Perhaps only blanks or escapes differ: the strict parser, ten times slower, finds out.
        value = _read_strictly(line)
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


def _read_strictly(line: bytes) -> Any:
    try:
        return json.loads(line, object_pairs_hook=_object_of, parse_int=_int_of, parse_float=_float_of)
    except (json.JSONDecodeError, RecursionError) as exc:
        raise Unusable("too_deep", "nested too deeply") from exc


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unusable("duplicate_key", "has a key twice")
    return found


def _int_of(text: str) -> Any:
    if len(text) <= 20 and _INT_MIN <= int(text) <= _INT_MAX:
        return int(text)
    return orjson.Fragment(text)


def _float_of(text: str) -> Any:
    number = float(text)
    try:
        is_exact = Decimal(text) == Decimal(repr(number))
    except InvalidOperation:
        is_exact = False
    return number if is_exact else orjson.Fragment(text)
