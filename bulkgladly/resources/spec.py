"""The shape of one row of the resource table, and of what its procedures work on."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkgladly.messages import Reply, Request
from bulkgladly.records import Claim, ColumnPlan, Known, Mode, Outcome, Problem, Row

__all__ = ("Policy", "Record", "ResourceSpec", "Steps")

Steps = Generator[Request, Reply, Outcome]
"""What is done for one record, without doing it: yields requests, is sent replies, returns the outcome."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user decided about every record of a run. All of it is part of the run's identity.

    `host` and `namespace` go into derived ids; `key` names the column that identifies a
    record in the source system; `phone_region` is how national numbers are read.
    """

    host: str
    mode: Mode = Mode.UPSERT
    namespace: str = "default"
    key: str | None = None
    on_conflict: str = "quarantine"
    on_duplicate: str = "reject"
    null: str = "keep"
    phone_region: str | None = None
    read_first: bool = False
    attributes: str = "unknown"


@dataclass(slots=True)
class Record:
    """A row that can become requests.

    `id` is the id under which a create would make it; `fingerprints` has one entry per
    field of the payload. `known` and `doubt` are filled in from the state: `doubt` is
    true when an earlier process may have sent a create whose end nobody saw.
    """

    row: Row
    key: str
    id: str
    has_own_id: bool
    payload: dict[str, Any]
    fingerprints: dict[str, str]
    claims: tuple[Claim, ...]
    known: Known | None = None
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """Everything that the pipelines need to know about one kind of object.

    `prepare` turns a nested row into a Record or says why it cannot; `procedures` has
    the steps for each mode. Both are pure. `requests_per_record` has, for each mode, the
    fewest and the most requests that a record takes without conflicts, for the estimate.
    """

    name: str
    columns: ColumnPlan
    prepare: Callable[[Row, dict[str, Any], Policy], Record | Problem]
    procedures: Mapping[Mode, Callable[[Record, Policy], Steps]]
    requests_per_record: Mapping[Mode, tuple[int, int]]
    operations: tuple[str, ...] = field(default=())
