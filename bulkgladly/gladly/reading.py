"""From the fields of a nested row to a payload: values are checked by their kind and put in their place. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from bulkgladly.gladly.fields import Field, FieldProblem, Kind, Link
from bulkgladly.gladly.identity import id_problem
from bulkgladly.records import Mode
from bulkgladly.source_keys import NotAKey, read_key
from bulkgladly.times import to_milliseconds, written_time

__all__ = ("read_fields",)

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_fields(
    nested: Mapping[str, Any], fields: Sequence[Field], mode: Mode, *, null: str = "keep"
) -> tuple[dict[str, Any], tuple[Link, ...]]:
    """Return the payload of a nested row, and the links in it that have to be replaced by ids.

    Missing fields stay missing. A null is dropped (`null="keep"`), or kept to clear the
    field (`null="clear"`). Names and keys are in the payload as they were given.

    Raises:
        FieldProblem: A value is not of the kind of its field, two fields set the same value, or a
            field is missing that this mode needs.
    """
    payload: dict[str, Any] = {}
    links: list[Link] = []
    givers: dict[str, str] = {}
    for field in fields:
        if field.name not in nested:
            continue
        value = nested[field.name]
        if value is None:
            # An id or a reference cannot be cleared: without it, nothing says what the row means.
            if null == "clear" and field.name != "id" and field.key_of is None and field.names is None:
                _put(payload, field, None, givers)
            continue
        value = _READERS[field.kind](value, field)
        _put(payload, field, value, givers)
        if field.names is not None or field.key_of is not None:
            links += _links(field, value)
    _refuse_missing(payload, fields, mode)
    return payload, tuple(links)


def _put(payload: dict[str, Any], field: Field, value: Any, givers: dict[str, str]) -> None:
    head, _, part = field.place.partition(".")
    # An object and one of its parts clash as well (assignee and assignee.inboxId).
    earlier = givers.get(field.place) or (givers.get(head) if part else None)
    if earlier is not None:
        raise FieldProblem("given_twice", field.name, f"and {earlier} set the same value; leave one of them out")
    givers[field.place] = field.name
    if not part:
        if isinstance(payload.get(head), dict) and isinstance(value, dict):
            raise FieldProblem("given_twice", field.name, "and one of its parts are both set; leave one of them out")
        payload[head] = value
        return
    payload.setdefault(head, {})[part] = value


def _links(field: Field, value: Any) -> list[Link]:
    if isinstance(value, list):
        return [_link(field, index, text) for index, text in enumerate(value)]
    return [_link(field, None, value)]


def _link(field: Field, index: int | None, text: str) -> Link:
    if field.key_of is None:
        return Link(field.place, index, str(field.names), text, field.name, is_key=False)
    try:
        key = read_key(text)
    except NotAKey:
        raise FieldProblem("blank", field.name, "is empty; leave it out, or fill in a source key") from None
    return Link(field.place, index, field.key_of, key.text, field.name, is_key=True, former=key.former)


def _refuse_missing(payload: Mapping[str, Any], fields: Sequence[Field], mode: Mode) -> None:
    for field in fields:
        if mode not in field.required:
            continue
        head, _, part = field.place.partition(".")
        value = payload.get(head)
        if part:
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None or value in ("", [], {}):
            others = [other.name for other in fields if other.place == field.place and other is not field]
            either = f" (or {', '.join(others)})" if others else ""
            raise FieldProblem("blank", field.name, f"is missing{either}; Gladly needs it")


def _text(value: Any, field: Field) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FieldProblem("type", field.name, "must be a text")
    text = str(value)
    if field.most is not None and len(text) > field.most:
        raise FieldProblem("too_long", field.name, f"has {len(text):,} characters; Gladly allows {field.most:,}")
    if field.pattern is not None and not re.fullmatch(field.pattern, text):
        raise FieldProblem("invalid", field.name, f"must look like {field.help or field.pattern}")
    return text


def _id(value: Any, field: Field) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FieldProblem("type", field.name, "must be a text")
    # JSON and Parquet may hold an id as a number.
    text = str(value)
    reason = id_problem(text, most=field.most)
    if reason is not None:
        raise FieldProblem("id", field.name, f"is not a Gladly id: {reason}")
    return text


def _flag(value: Any, field: Field) -> bool:
    flag = value if isinstance(value, bool) else _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise FieldProblem("not_a_flag", field.name, "must be true or false (or yes, no, 1, 0)")
    return flag


def _integer(value: Any, field: Field) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    raise FieldProblem("not_a_number", field.name, "must be a whole number")


def _moment(value: Any, field: Field) -> str:
    # The same reader as for the dates of mappings, so that what one takes the other takes.
    moment = written_time(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise FieldProblem("invalid_time", field.name, "must be a time with a time zone, such as 2026-01-31T09:00:00Z")
    try:
        return to_milliseconds(moment)
    except OverflowError:
        raise FieldProblem("invalid_time", field.name, "is a time outside the years 1 to 9999") from None


def _choice(value: Any, field: Field) -> str:
    text = _text(value, field).strip()
    found = next((choice for choice in field.choices if choice.lower() == text.lower()), None)
    if found is None:
        raise FieldProblem("invalid_choice", field.name, f"must be one of {', '.join(field.choices)}")
    return found


def _texts(value: Any, field: Field) -> list[str]:
    if isinstance(value, str):
        text = value.strip()
        # A JSON list in a cell is for texts that have a ; themselves.
        value = _json(text, field) if text.startswith("[") else [part.strip() for part in text.split(";")]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FieldProblem("type", field.name, "must be a list of texts")
    found = list(dict.fromkeys(item for item in value if item))
    for item in found:
        _text(item, field)
    return found


def _object(value: Any, field: Field) -> dict[str, Any]:
    found = _json(value, field) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise FieldProblem("not_an_object", field.name, "must be a JSON object")
    return dict(found)


def _objects(value: Any, field: Field) -> list[dict[str, Any]]:
    found = _json(value, field) if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise FieldProblem("not_a_list", field.name, "must be a JSON list of objects")
    return [dict(item) for item in found]


def _json(text: str, field: Field) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise FieldProblem("invalid_json", field.name, "is not valid JSON") from None


_READERS: Mapping[Kind, Callable[[Any, Field], Any]] = {
    Kind.TEXT: _text,
    Kind.ID: _id,
    Kind.FLAG: _flag,
    Kind.INTEGER: _integer,
    Kind.MOMENT: _moment,
    Kind.CHOICE: _choice,
    Kind.TEXTS: _texts,
    Kind.OBJECT: _object,
    Kind.OBJECTS: _objects,
}
