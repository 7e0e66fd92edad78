"""A line fitted to its shape, and a row turned back into the line it was read from. Pure.

What no column can hold is taken out of the line, so that the rest can be read as it is, and goes into
`_extra`: a JSON object from paths to values. Putting each value back at its path restores the line.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
from pyarrow import types

from bulkgladly.json_paths import Path, general, parsed, put, shown
from bulkgladly.lake.rows import DriftKind
from bulkgladly.lake.schemas import EXTRA, LINE, DataSet, Shape
from bulkgladly.strict_json import Unusable, exact_object
from bulkgladly.times import canonical, is_plain, moment_of

__all__ = (
    "FittedLine",
    "as_plain",
    "fit_line",
    "to_api",
    "to_line",
)

# --- From a line to what its columns hold ---

_CONTENT = "content"
_EXACT_IN_FLOAT = 1 << 53
"""Beyond it, neighbouring integers are the same float."""
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


class FittedLine(NamedTuple):
    """A line that fits the shape of its kind, and the drift found in it."""

    kind: str | None
    line: bytes
    drift: list[tuple[str, DriftKind]]


class _Unfitting:
    """What one line holds beyond its shape."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.drift: list[tuple[str, DriftKind]] = []
        self.is_changed = False

    def add(self, path: Path, value: Any, kind: DriftKind | None) -> None:
        self.is_changed = True
        self.extra[shown(path)] = value
        if kind is not None:
            self.drift.append((general(path), kind))


_Fit = Callable[[Any, Path, _Unfitting], Any]
"""From a value that is not null to what stays in its place; None if nothing does, which is then recorded."""


def fit_line(line: bytes, data_set: DataSet) -> FittedLine:
    """Return a line that certainly fits; a line that fits already is returned as it is.

    Raises:
        Unusable: The line is not a JSON object, or nothing of it could be kept unchanged.
    """
    value = exact_object(line)
    kind = _kind_of(value, data_set.kind_path)
    shape = data_set.shape_of(kind)
    found = _Unfitting()
    if data_set.has_kinds and shape is data_set.unknown:
        value = _without_content(value, kind, data_set.kind_path, found)
    kept = _fit_of(shape)(value, (), found)
    # An empty object has no member that could be put back, so it is noted itself.
    for name in shape.holders:
        if value.get(name) == {}:
            found.add((name,), {}, None)
    if not found.is_changed:
        return FittedLine(kind, line.strip(), found.drift)
    try:
        if found.extra:
            kept[EXTRA] = orjson.dumps(found.extra).decode()
        return FittedLine(kind, orjson.dumps(kept), found.drift)
    except TypeError as exc:
        raise Unusable("too_deep", "nested too deeply") from exc


def _kind_of(line: dict[str, Any], kind_path: tuple[str, ...]) -> str | None:
    """Return the text at a path, or None."""
    place: Any = line
    for step in kind_path:
        place = place.get(step) if isinstance(place, dict) else None
    return place if isinstance(place, str) else None


def _without_content(
    line: dict[str, Any], kind: str | None, kind_path: tuple[str, ...], found: _Unfitting
) -> dict[str, Any]:
    """Move the content of a line of unknown kind, except the kind itself, into the extra, and count it once."""
    content = line.get(_CONTENT)
    if kind is None and not isinstance(content, dict):
        return line
    place = ".".join(kind_path)
    found.drift.append((place if kind is None else f"{place}={kind}", DriftKind.UNKNOWN_TYPE))
    if not isinstance(content, dict):
        return line
    if not content:
        found.add((_CONTENT,), {}, None)
    kept = {}
    for name, value in content.items():
        if kind is not None and (_CONTENT, name) == kind_path:
            kept[name] = value
        else:
            found.add((_CONTENT, name), value, None)
    return {name: kept if name == _CONTENT else value for name, value in line.items() if kept or name != _CONTENT}


# Worked out once for each shape: a line must not cost more than a few calls.
@cache
def _fit_of(shape: Shape) -> _Fit:
    return _fit_for(shape.json_type)


def _fit_for(kept: pa.DataType) -> _Fit:
    if types.is_string(kept):
        return _fit_scalar(str)
    if types.is_boolean(kept):
        return _fit_scalar(bool)
    if types.is_int64(kept):
        return _fit_int
    if types.is_float64(kept):
        return _fit_number
    if types.is_timestamp(kept):
        return _fit_time
    if types.is_map(kept):
        return _fit_map
    if isinstance(kept, pa.ListType):
        return _fit_list(_fit_for(kept.value_type))
    if isinstance(kept, pa.StructType):
        return _fit_struct({kept.field(at).name: _fit_for(kept.field(at).type) for at in range(kept.num_fields)})
    raise TypeError(f"no rule for {kept}")


def _fit_scalar(wanted: type) -> _Fit:
    # By type and not by isinstance, here and below: True is an int, too.
    def fit(value: Any, path: Path, found: _Unfitting) -> Any:
        return value if type(value) is wanted else found.add(path, value, DriftKind.MISFIT)

    return fit


def _fit_int(value: Any, path: Path, found: _Unfitting) -> Any:
    is_fit = type(value) is int and _INT_MIN <= value <= _INT_MAX
    return value if is_fit else found.add(path, value, DriftKind.MISFIT)


def _fit_number(value: Any, path: Path, found: _Unfitting) -> Any:
    """Keep what a float holds exactly; `exact_object` has checked values that are floats already."""
    is_fit = type(value) is float or (type(value) is int and abs(value) <= _EXACT_IN_FLOAT)
    return value if is_fit else found.add(path, value, DriftKind.MISFIT)


def _fit_time(value: Any, path: Path, found: _Unfitting) -> Any:
    if type(value) is str:
        if is_plain(value):
            return value
        moment = moment_of(value)
        if moment is not None:
            found.is_changed = True
            if moment.lost_ns:
                found.add(path, value, DriftKind.FINER_TIME)
            return moment.time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return found.add(path, value, DriftKind.MISFIT)


def _fit_map(value: Any, path: Path, found: _Unfitting) -> Any:
    """Return a map as a list of entries, which is what Arrow reads; only texts can be values."""
    if type(value) is not dict:
        return found.add(path, value, DriftKind.MISFIT)
    found.is_changed = True
    entries = []
    for key, member in value.items():
        if type(member) is str:
            entries.append({"key": key, "value": member})
        else:
            found.add((*path, key), member, DriftKind.NULL if member is None else DriftKind.MISFIT)
    return entries


def _fit_list(fit_item: _Fit) -> _Fit:
    def fit(value: Any, path: Path, found: _Unfitting) -> Any:
        if type(value) is not list:
            return found.add(path, value, DriftKind.MISFIT)
        return [None if item is None else fit_item(item, (*path, at), found) for at, item in enumerate(value)]

    return fit


def _fit_struct(members: dict[str, _Fit]) -> _Fit:
    def fit(value: Any, path: Path, found: _Unfitting) -> Any:
        if type(value) is not dict:
            return found.add(path, value, DriftKind.MISFIT)
        kept = {}
        for name, member in value.items():
            fit_member = members.get(name)
            if fit_member is None:
                found.add((*path, name), member, DriftKind.UNKNOWN_FIELD)
            elif member is None:
                found.add((*path, name), None, DriftKind.NULL)
            elif (fitted := fit_member(member, (*path, name), found)) is not None:
                kept[name] = fitted
        return kept

    return fit


# --- From a row back to its line ---


def to_api(row: Mapping[str, Any], data_set: DataSet) -> dict[str, Any]:
    """Return the object of a row, in the API's own shape.

    `row` is one of `Table.to_pylist()`. Each value is equal to what the line had; times are
    equal as instants and in UTC, written with three or six fraction digits. A field that was
    absent is absent, and one that was null is null. A number that no float holds is a Decimal.
    """
    return _restored(row, data_set, json.loads(row.get(EXTRA) or "{}", parse_float=_number))


def to_line(row: Mapping[str, Any], data_set: DataSet) -> bytes:
    """Return the object of a row as a line of JSON without its newline, with its provenance as further members.

    Numbers keep their digits. A member of the object with the name of a provenance column stands in
    a member `_extra`.
    """
    made = _restored(row, data_set, exact_object((row.get(EXTRA) or "{}").encode()))
    provenance = [name for name in (*data_set.provenance, LINE) if row.get(name) is not None]
    hidden = {name: made.pop(name) for name in (*provenance, EXTRA) if name in made}
    for name in provenance:
        made[name] = as_plain(row[name], data_set.schema.field(name).type)
    # What stood in `_extra` is back at its place by now, so that name is free for members that provenance hides.
    if hidden:
        made[EXTRA] = hidden
    return orjson.dumps(made)


def _restored(row: Mapping[str, Any], data_set: DataSet, extra: Mapping[str, Any]) -> dict[str, Any]:
    shape = data_set.shape_of(row.get(data_set.kind_column) if data_set.kind_column is not None else None)
    made: dict[str, Any] = {}
    for column in shape.columns:
        value = row.get(column.name)
        if value is not None:
            put(made, column.path, value[0] if column.wraps else as_plain(value, column.type))
    for path, value in extra.items():
        put(made, parsed(path), value)
    return made


def as_plain(value: Any, kept: pa.DataType) -> Any:
    """Return a value of a column as JSON holds it; null members of structs are left out."""
    if isinstance(value, dt.datetime):
        return canonical(value)
    if types.is_map(kept):
        return dict(value)
    if isinstance(kept, pa.ListType):
        return [None if item is None else as_plain(item, kept.value_type) for item in value]
    if isinstance(kept, pa.StructType):
        return {name: as_plain(member, kept.field(name).type) for name, member in value.items() if member is not None}
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_IN_FLOAT else value


def _number(text: str) -> float | Decimal:
    exact = Decimal(text)
    number = float(text)
    return number if Decimal(repr(number)) == exact else exact
