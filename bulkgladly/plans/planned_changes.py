"""What a plan says about one record: what is done, to which fields, with which requests. Pure.

A planned change is kept twice: as JSON in the journal while the plan is made, and as a row of `changes.parquet`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from bulkgladly.gladly.change import Action, Change
from bulkgladly.gladly.identity import fingerprint
from bulkgladly.records import Known, Outcome, Position, Stage, Word

__all__ = (
    "COLUMNS",
    "OPEN",
    "UNCOMPARED",
    "Costs",
    "FieldChange",
    "PlannedChange",
    "ending_of",
    "fields_of",
    "memory_of",
    "total",
)

OPEN = "open"
"""The action of a record for which only a request, or the row before it, can tell what is to be done."""

UNCOMPARED = "?"
"""In place of the hash of what is known of a record whose key earlier versions spelled in another way."""

Costs = Mapping[str, tuple[int, int]]
"""The fewest and the most requests that a record takes, by operation."""

COLUMNS: Mapping[str, str] = {
    "seq": "number",
    "file": "text",
    "line": "number",
    "key": "text",
    "gladly_id": "text",
    "action": "text",
    "word": "text",
    "requests": "number",
    "requests_most": "number",
    "fields": "fields",
    "reason": "text",
    "code": "text",
    "attr": "text",
    "stage": "text",
    "status": "number",
    "operations": "text",
    "memory": "text",
    "is_shared": "flag",
}
"""The columns of `changes.parquet`."""


class FieldChange(NamedTuple):
    """What a change does to one field, as JSON: what Gladly held (None if nobody read it), and what is written."""

    field: str
    before: str | None
    after: str | None


class PlannedChange(NamedTuple):
    """What is to be done about one record. `seq` is its number in the input.

    `memory` says what earlier runs knew of the record: a hash, or None if they knew nothing. `is_shared` says that
    other records of the plan write to the same object, so that they must follow each other. `reason`, `code`,
    `attr`, `stage` and `status` say why nothing is written.
    """

    seq: int
    position: Position
    action: str
    word: str
    key: str = ""
    gladly_id: str | None = None
    costs: Costs = MappingProxyType({})
    fields: tuple[FieldChange, ...] = ()
    memory: str | None = None
    is_shared: bool = False
    reason: str | None = None
    code: str | None = None
    attr: str | None = None
    stage: str | None = None
    status: int | None = None
    costs_if_open: Costs = MappingProxyType({})
    """What it takes if an earlier record turns out to write to the same object; not kept in the plan."""
    is_remembered: bool = False
    """Whether memory alone says that nothing is to be done; of such records only the number is kept."""

    @property
    def is_write(self) -> bool:
        """Whether something is created, updated or deleted."""
        return self.action in (Action.CREATE, Action.UPDATE, Action.DELETE)

    def opened(self, why: str) -> "PlannedChange":
        """Return the same record, to be decided when it is applied."""
        return self._replace(
            action=OPEN, word=Word.UNCHANGED, costs=self.costs_if_open, fields=(), memory=self.memory, reason=why
        )

    @property
    def requests(self) -> tuple[int, int]:
        """The fewest and the most requests."""
        return sum(low for low, _ in self.costs.values()), sum(high for _, high in self.costs.values())

    def after(self) -> dict[str, Any]:
        """Return the fields that are written."""
        return {one.field: orjson.loads(one.after) for one in self.fields if one.after is not None}

    def before(self) -> dict[str, Any] | None:
        """Return what Gladly held of these fields when the plan was made; None if nobody had read it."""
        if not self.fields or all(one.before is None for one in self.fields):
            return None
        return {one.field: None if one.before is None else orjson.loads(one.before) for one in self.fields}

    def noted(self) -> str:
        """Return what the journal keeps of it beside its own columns."""
        why = (self.reason, self.code, self.attr, self.stage, self.status)
        fields = [list(one) for one in self.fields]
        costs = (dict(self.costs), dict(self.costs_if_open))
        return orjson.dumps([self.action, self.key, *costs, fields, self.memory, *why]).decode()

    @classmethod
    def from_note(cls, seq: int, position: Position, word: str, gladly_id: str | None, note: str) -> "PlannedChange":
        """Return a planned change from the columns of the journal and its note."""
        action, key, costs, if_open, fields, memory, reason, code, attr, stage, status = orjson.loads(note)
        return cls(
            seq,
            position,
            action,
            word,
            key,
            gladly_id,
            costs={name: (low, high) for name, (low, high) in costs.items()},
            fields=tuple(FieldChange(*one) for one in fields),
            memory=memory,
            reason=reason,
            code=code,
            attr=attr,
            stage=stage,
            status=status,
            costs_if_open={name: (low, high) for name, (low, high) in if_open.items()},
        )

    def as_row(self, file: str) -> dict[str, Any]:
        """Return the row of `changes.parquet`; `file` is the name of its input."""
        low, high = self.requests
        return {
            "seq": self.seq,
            "file": file,
            "line": self.position.number,
            "key": self.key,
            "gladly_id": self.gladly_id,
            "action": self.action,
            "word": self.word,
            "requests": low,
            "requests_most": high,
            "fields": [one._asdict() for one in self.fields],
            "reason": self.reason,
            "code": self.code,
            "attr": self.attr,
            "stage": self.stage,
            "status": self.status,
            "operations": orjson.dumps(dict(self.costs)).decode(),
            "memory": self.memory,
            "is_shared": self.is_shared,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "PlannedChange":
        """Return a planned change from a row of `changes.parquet`; its position has the line only."""
        costs = orjson.loads(row["operations"])
        return cls(
            row["seq"],
            Position(0, 0, row["line"]),
            row["action"],
            row["word"],
            row["key"] or "",
            row["gladly_id"],
            costs={name: (low, high) for name, (low, high) in costs.items()},
            fields=tuple(FieldChange(**one) for one in row["fields"] or ()),
            memory=row["memory"],
            is_shared=bool(row["is_shared"]),
            reason=row["reason"],
            code=row["code"],
            attr=row["attr"],
            stage=row["stage"],
            status=row["status"],
        )


def fields_of(change: Change) -> tuple[FieldChange, ...]:
    """Return what a change does to each field: of a deletion the part that is removed, or all that is known."""
    if change.end is not None:
        return ()
    held = change.before
    if change.action is Action.DELETE and not change.after:
        return tuple(FieldChange(name, _json(value), None) for name, value in (held or {}).items())
    return tuple(
        FieldChange(name, None if held is None else _json(held.get(name)), _json(value))
        for name, value in change.after.items()
    )


def ending_of(planned: PlannedChange, accepted: Mapping[str, str] | None = None) -> Outcome:
    """Return how a record ends for which nothing is written. `accepted` is what Gladly is known to hold."""
    return Outcome(
        Word(planned.word),
        gladly_id=planned.gladly_id,
        stage=None if planned.stage is None else Stage(planned.stage),
        status=planned.status,
        code=planned.code,
        attr=planned.attr,
        detail=planned.reason if planned.code is not None else None,
        accepted=accepted,
    )


def memory_of(known: Known | None, former_key: str | None = None) -> str | None:
    """Return a hash of what earlier runs know of a record; None if they know nothing."""
    if former_key is not None:
        return UNCOMPARED
    if known is not None and known.held is not None:
        return None  # a data set has told it, and earlier runs know nothing
    return None if known is None else fingerprint([known.gladly_id, sorted(known.accepted.items())])


def total(costs: Iterable[Costs]) -> tuple[Counter[str], Counter[str]]:
    """Return the fewest and the most requests of several records, by operation."""
    low: Counter[str] = Counter()
    high: Counter[str] = Counter()
    for each in costs:
        for name, (least, most) in each.items():
            low[name] += least
            high[name] += most
    return low, high


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
