"""Sample rows as lines: only what differs from the input, with values masked unless the user wants to see them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkgladly.imports.preview import PreviewRecord, PreviewRow, PreviewValue

__all__ = ("MASKED", "preview_as_dict", "preview_lines", "valued")

MASKED = "Values are masked (a/A letter, 9 digit). Use --show-values to see them."
_MOST = 80
_MOST_RECORDS = 5
"""Of one row: a ticket may have hundreds of comments."""


def valued(*, show_values: bool) -> Callable[[Any], str]:
    """Return what turns a value into text: as JSON, or masked in the same form and length."""
    import orjson

    from bulkgladly.mapping.column_shapes import masked

    def text(value: Any) -> str:
        if value is None:
            return "nothing"
        said = orjson.dumps(value if show_values else masked(value), default=str).decode()
        return said if len(said) <= _MOST else f"{said[: _MOST - 1]}… ({len(said):,} characters)"

    return text


def preview_lines(rows: "Sequence[PreviewRow]", *, show_values: bool) -> Iterator[str]:
    """Yield the lines of sample rows; none for a row that is sent as it is."""
    from bulkgladly.imports.preview import told_values

    say = valued(show_values=show_values)
    if same := told_values(rows):
        yield f"only renamed: {', '.join(f'{field} <- {column}' for field, column in same)}"
    renamed = {field for field, _ in same}
    for row in rows:
        lines = [line for record in row.records[:_MOST_RECORDS] for line in _record_lines(record, say, renamed)]
        if (more := len(row.records) - _MOST_RECORDS) > 0:
            lines.append(f"  and {more:,} more of this row")
        if lines:
            yield row.place
            yield from lines


def _record_lines(record: "PreviewRecord", say: Callable[[Any], str], renamed: set[str]) -> list[str]:
    lines = [f"  {_value_text(one, say)}" for one in record.values if not one.is_same]
    # What is the same in this row and not in others is told here, or nobody would see where it comes from.
    lines += [
        f"  {one.field} <- {one.column}: {say(one.after)}"
        for one in record.values
        if one.is_same and one.field != one.column and one.field not in renamed
    ]
    for gone in record.dropped:
        column = "" if gone.column == gone.field else f" <- {gone.column}"
        lines.append(f"  {gone.field}{column}: {say(gone.value)} -> dropped: {gone.code}")
    if (problem := record.problem) is not None:
        lines.append(f"  ! {problem.word.value}: {problem.code}: {problem.detail}")
    if record.part is not None and lines:
        lines.insert(0, f"  = record {record.part.number} of {record.part.of}")
    return lines


def _value_text(value: "PreviewValue", say: Callable[[Any], str]) -> str:
    column = "" if value.column in ("", value.field) else f" <- {value.column}"
    name = f"{value.field}{column}"
    if value.is_constant:
        return f"{name}: {valued(show_values=True)(value.after)}"
    if value.before is None:
        return f"{name}: {say(value.after)}"
    before, after = say(value.before), "nothing" if value.after == "" else say(value.after)
    hidden = " (they differ where they are masked)" if before == after else ""
    return f"{name}: {before} -> {after}{hidden}"


def preview_as_dict(row: "PreviewRow", *, show_values: bool) -> Mapping[str, Any]:
    """Return a sample row as JSON can hold it, its values masked unless they may be shown."""
    from bulkgladly.mapping.column_shapes import masked

    def told(value: Any, *, is_shown: bool = show_values) -> Any:
        return value if is_shown or value is None else masked(value)

    return {
        "place": row.place,
        "records": [
            {
                "values": [
                    {
                        "field": one.field,
                        "column": one.column,
                        "before": told(one.before),
                        "after": told(one.after, is_shown=show_values or one.is_constant),
                    }
                    for one in record.values
                ],
                "dropped": [
                    {"field": gone.field, "column": gone.column, "code": gone.code, "value": told(gone.value)}
                    for gone in record.dropped
                ],
                "outcome": None if record.problem is None else record.problem.word.value,
                "code": None if record.problem is None else record.problem.code,
                "detail": None if record.problem is None else record.problem.detail,
            }
            for record in row.records
        ],
    }
