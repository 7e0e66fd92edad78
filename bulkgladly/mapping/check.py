"""Compares what a mapping makes of rows with what was expected."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.errors import InputError
from bulkgladly.mapping.mapper import DROPPED_VALUES, FORMER_KEY_COLUMN, KEY_COLUMN, Made, Mapper
from bulkgladly.mapping.row_values import Fields, Unmappable
from bulkgladly.records import Problem
from bulkgladly.strict_json import parse_object

__all__ = ("Case", "Difference", "compare", "outputs", "read_cases")

_NOTHING = object()
_NOT_SENT = frozenset({FORMER_KEY_COLUMN, DROPPED_VALUES})


@dataclass(frozen=True, slots=True)
class Case:
    """A row, and the records that a mapping is expected to make of it, in order.

    Without `input` the records are expected from the rows of the given files. A record that is expected to fail is
    `{"problem": CODE}`, perhaps with its `attr`. `line` is the line of the case.
    """

    line: int
    input: dict[str, Any] | None
    output: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one record that is not as expected. `field` is empty if a whole record is missing or too many.

    `line` is that of the case, `record` counts from 1.
    """

    line: int
    record: int
    field: str
    expected: Any
    found: Any


def read_cases(path: Path) -> list[Case]:
    """Return the cases in an NDJSON file: per line `input` and `output`, or one output record.

    Raises:
        InputError: The file cannot be read, or a line is neither.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        why = getattr(error, "strerror", None) or error  # without the number, and the path again
        raise InputError(f"{path}: cannot be read: {why}") from error
    return [_case(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def outputs(mapper: Mapper, row: Fields) -> list[dict[str, Any]]:
    """Return what a mapping makes of a row, in the form in which it is shown and expected.

    Empty fields are left out. A record that cannot be made is an object with `problem`, `attr` and `detail`.
    """
    return [_as_output(made) for made in mapper.records(row)]


def compare(mapper: Mapper, cases: Sequence[Case], rows: Sequence[Fields] = ()) -> list[Difference]:
    """Return the differences between what a mapping makes and what was expected.

    Cases without input are compared, in order, with the records from `rows`. A source key is compared only if a
    case has one.
    """
    found: list[Difference] = []
    for case in cases:
        if case.input is not None:
            found += _differences(case.line, case.output, outputs(mapper, case.input))
    alone = [case for case in cases if case.input is None]
    if alone:
        made = [output for row in rows for output in outputs(mapper, row)]
        for number, case in enumerate(alone):
            found += _differences(case.line, case.output, made[number : number + 1])
        extra = range(len(alone), len(made))
        found += [Difference(alone[-1].line, number + 1, "", None, made[number]) for number in extra]
    return found


def _differences(
    line: int, expected: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]
) -> Iterator[Difference]:
    for number in range(max(len(expected), len(found))):
        if number >= len(found):
            yield Difference(line, number + 1, "", expected[number], None)
        elif number >= len(expected):
            yield Difference(line, number + 1, "", None, found[number])
        else:
            yield from _fields(line, number + 1, expected[number], found[number])


def _fields(line: int, number: int, expected: dict[str, Any], found: dict[str, Any]) -> Iterator[Difference]:
    # Compared only if the case has them: the text of a problem, and the source key.
    optional = {"detail", "attr"} if "problem" in found else {KEY_COLUMN}
    for name in dict.fromkeys([*expected, *found]):
        wanted, given = expected.get(name, _NOTHING), found.get(name, _NOTHING)
        if wanted is _NOTHING and name in optional:
            continue
        if wanted is _NOTHING or given is _NOTHING or not _equal(wanted, given):
            yield Difference(
                line, number, name, None if wanted is _NOTHING else wanted, None if given is _NOTHING else given
            )


def _equal(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON. Python alone would take 1 and true for equal."""
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def _as_output(made: Made) -> dict[str, Any]:
    if isinstance(made, Unmappable):
        return {"problem": made.code, "attr": made.attr, "detail": made.detail}
    return {name: value for name, value in made.items() if value != "" and name not in _NOT_SENT}


def _case(path: Path, number: int, line: bytes) -> Case:
    found = parse_object(line)
    if isinstance(found, Problem):
        raise InputError(f"{path}:{number}: {found.detail}")
    if set(found) != {"input", "output"}:
        return Case(number, None, (found,))
    output = found["output"] if isinstance(found["output"], list) else [found["output"]]
    if not isinstance(found["input"], dict) or not all(isinstance(one, dict) for one in output):
        raise InputError(f"{path}:{number}: input must be an object, and output an object or a list of objects")
    return Case(number, found["input"], tuple(output))
