"""Where the rows of one unit come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ("Source",)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a job, or one fetch.

    `stem` is what the names of its parts begin with: a job id, a time. `file` is what a
    message or a list of rejects calls it: `conversation_items.jsonl`, `GET /api/v1/inboxes`.
    `columns` has the values of the data set's provenance columns, the same in each row;
    one that is missing is null.
    """

    stem: str
    file: str
    columns: Mapping[str, Any] = field(default_factory=dict)
