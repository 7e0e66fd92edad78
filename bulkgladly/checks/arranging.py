"""Rows that refer to rows of the same input: parents before children, and circles. Pure."""

from collections.abc import Sequence

from bulkgladly.records import Problem
from bulkgladly.resources.spec import Draft, ResourceSpec

__all__ = ("arranged",)


def arranged(spec: ResourceSpec, records: Sequence[Draft]) -> tuple[list[Draft], list[tuple[Draft, Problem]]]:
    """Return the records in the order of an import, and those whose parents go round in a circle."""
    if spec.arrange is None:
        return list(records), []
    good: list[Draft] = []
    circular: list[tuple[Draft, Problem]] = []
    keys = {record.key for record in records}
    done: set[str] = set()
    for record in spec.arrange(records):
        own = [link for link in record.links if link.is_key and link.kind == spec.name]
        ahead = next((link for link in own if link.text in keys and link.text not in done), None)
        if ahead is not None:
            detail = f"{ahead.attr}: the parents of this row lead back to it, so none of them can be made first"
            circular.append((record, Problem("unknown_key", detail, ahead.attr)))
            continue
        done.add(record.key)
        good.append(record)
    return good, sorted(circular, key=lambda one: one[0].row.seq)
