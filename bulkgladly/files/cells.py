"""Converts Arrow values, given as plain numbers and bytes, to what JSON can hold. Pure, without Arrow."""

import math
import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

__all__ = (
    "CellError",
    "Convert",
    "date_text",
    "date_text_of_ms",
    "decimal_text",
    "duration_text",
    "finite",
    "list_of",
    "map_of",
    "short16",
    "short32",
    "shown",
    "struct_of",
    "text",
    "time_text",
    "timestamp_text",
    "uuid_text",
)

Convert = Callable[[Any], Any]
"""Converts one value from Arrow to one that JSON can hold; never called with None."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - zones are added as text, from what the column declares
_EPOCH_DAY = date(1970, 1, 1)


class CellError(ValueError):
    """JSON cannot hold a value; `code` and the message say why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def text(value: bytes) -> str:
    """Return bytes as text.

    Raises:
        CellError: They are not UTF-8, or contain a NUL.
    """
    if b"\0" in value:
        raise CellError("nul_character", "has a NUL character; remove it")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise CellError("invalid_utf8", "contains bytes that are not UTF-8 text; leave the column out") from exc


def finite(value: float) -> float:
    """Return a number if JSON can hold it.

    Raises:
        CellError: It is infinite or not a number.
    """
    if math.isfinite(value):
        return value
    raise CellError("unfit_number", "is NaN or infinite; write null")


def _short(value: float, *, packing: struct.Struct, digits: range) -> float:
    """Return the number with the fewest digits that is this value in its narrow type: 0.1, not 0.10000000149011612.

    A whole number stays as it is.

    Raises:
        CellError: It is infinite or not a number.
    """
    if finite(value).is_integer():
        return value
    packed = packing.pack(value)
    for count in digits:
        short = float(f"{value:.{count}g}")
        try:
            if packing.pack(short) == packed:
                return short
        except OverflowError:
            continue  # rounded up out of the type; more digits do not
    return value


short32 = partial(_short, packing=struct.Struct("f"), digits=range(6, 10))
short16 = partial(_short, packing=struct.Struct("e"), digits=range(3, 6))


def timestamp_text(value: int, digits: int, *, has_zone: bool) -> str:
    """Return a count of 10**-digits seconds since 1970 as RFC 3339; with a zone the time ends in Z, for UTC.

    The fraction has no, three, six or nine digits, as needed.

    Raises:
        CellError: The year does not have four digits.
    """
    seconds, fraction = divmod(value, 10**digits)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError as exc:
        raise CellError("time_out_of_range", "is a time before the year 1 or after 9999; correct it") from exc
    return moment.isoformat() + _fraction(fraction, digits) + ("Z" if has_zone else "")


def date_text(days: int) -> str:
    """Return days since 1970 as an ISO date.

    Raises:
        CellError: The year does not have four digits.
    """
    try:
        return (_EPOCH_DAY + timedelta(days=days)).isoformat()
    except OverflowError as exc:
        raise CellError("time_out_of_range", "is a date before the year 1 or after 9999; correct it") from exc


def time_text(value: int, digits: int) -> str:
    """Return a count of 10**-digits seconds since midnight as HH:MM:SS, with a fraction if it has one."""
    seconds, fraction = divmod(value, 10**digits)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}" + _fraction(fraction, digits)


def duration_text(value: int, digits: int) -> str:
    """Return a count of 10**-digits seconds as an ISO duration in seconds."""
    seconds, fraction = divmod(abs(value), 10**digits)
    return f"{'-' if value < 0 else ''}PT{seconds}{_fraction(fraction, digits)}S"


def date_text_of_ms(value: int) -> str:
    """Return milliseconds since 1970 as an ISO date; raises as `date_text`."""
    return date_text(value // 86_400_000)


def decimal_text(value: Decimal) -> str:
    """Return all digits of a number, without an exponent."""
    return format(value, "f")


def uuid_text(value: bytes) -> str:
    """Return 16 bytes as a UUID in its usual form."""
    return str(UUID(bytes=value))


def struct_of(converts: dict[str, Convert], value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with the members converted that need it; null stays null."""
    return {
        name: member if member is None or name not in converts else converts[name](member)
        for name, member in value.items()
    }


def list_of(convert: Convert, value: list[Any]) -> list[Any]:
    """Return a list with its items converted; null stays null."""
    return [None if item is None else convert(item) for item in value]


def map_of(key: Convert | None, item: Convert | None, value: list[tuple[Any, Any]]) -> dict[str, Any]:
    """Return pairs as an object; its names are texts.

    Raises:
        CellError: Two pairs have the same key.
    """
    found: dict[str, Any] = {}
    for raw_name, member in value:
        name = str(key(raw_name) if key else raw_name)
        if name in found:
            raise CellError("duplicate_key", f"has the key {name!r} twice; remove one of them")
        found[name] = item(member) if item and member is not None else member
    return found


def shown(value: Any) -> str:
    """Return a value that JSON cannot hold as text, so that people can find it."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _fraction(value: int, digits: int) -> str:
    if not value:
        return ""
    written = f"{value:0{digits}d}"
    while written.endswith("000"):
        written = written[:-3]
    return "." + written
