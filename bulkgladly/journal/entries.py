"""What an import tells its ledger about rows, and what the ledger says of them."""

from collections.abc import Mapping
from typing import NamedTuple

from bulkgladly.messages import NotedWrite
from bulkgladly.records import Claim, DroppedValue, Known, Outcome, Position

__all__ = (
    "Admission",
    "Clash",
    "Intent",
    "LedgerEntry",
    "Reservation",
    "SettledRow",
    "Standing",
    "UndoneWrites",
    "known_by",
)


class Admission(NamedTuple):
    """A row that has been read and is about to be worked on. `content` is a hash of its payload.

    Its record may also be known by `former_key`; `key` takes precedence.
    """

    seq: int
    position: Position
    key: str = ""
    content: int = 0
    claims: tuple[Claim, ...] = ()
    former_key: str | None = None


class Clash(NamedTuple):
    """An earlier row of the run holds a claim of this one."""

    attr: str
    earlier: int
    """`number` of the earlier row in its file."""
    earlier_file: int
    is_equal: bool
    """Whether the earlier row has the same key and the same content."""


class Standing(NamedTuple):
    """What the state says about an admitted row."""

    known: Known | None = None
    doubt: bool = False
    clash: Clash | None = None
    sent_at: float | None = None
    """When the request in doubt may have left, in seconds since 1970."""
    written: tuple[NotedWrite, ...] = ()
    """What earlier processes have written for the row, or were about to, in order."""


class Intent(NamedTuple):
    """A request whose repeat is not harmless is about to leave."""

    seq: int
    gladly_id: str
    operation: str


class UndoneWrites(NamedTuple):
    """Writes of a row that were noted, but not carried out: they did not leave, or were refused."""

    seq: int
    numbers: tuple[int, ...]


class Reservation(NamedTuple):
    """A record of which Gladly would create a duplicate: its key, and the fingerprints of its fields."""

    key: str
    accepted: Mapping[str, str]


class SettledRow(NamedTuple):
    """How a row ended, as given to `Ledger.settle`; `at` is when, in seconds since 1970.

    The values of `dropped` are texts, masked if nobody should see them.
    """

    seq: int
    position: Position
    outcome: Outcome
    key: str | None
    former_key: str | None
    attempts: int
    original: bytes | None
    at: float
    is_reserved: bool = False
    dropped: tuple[DroppedValue, ...] = ()
    trail: str | None = None
    """The requests that the row took, as JSON; None without requests."""


LedgerEntry = SettledRow | NotedWrite | UndoneWrites
"""What is told to a ledger without waiting for the disk."""


def known_by(known: Mapping[str, Known], key: str, former_key: str | None) -> Known | None:
    """Return what is known of a record by its key, or else by the former spelling of its key."""
    found = known.get(key)
    return known.get(former_key) if found is None and former_key is not None else found
