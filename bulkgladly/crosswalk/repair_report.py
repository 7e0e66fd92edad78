"""What a repair of the crosswalk is asked for, and what it reports."""

from dataclasses import dataclass, field
from typing import ClassVar

from bulkgladly.crosswalk.crosswalk_findings import REPAIR_WORDS
from bulkgladly.local_paths import LocalPath
from bulkgladly.runs.summary import Summary
from bulkgladly.settings import Limits, Pace

__all__ = ("RepairOptions", "RepairReport")

_UNSAFE_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class RepairOptions:
    """What is gone through, and whether keys of deleted objects are forgotten.

    Without a namespace all are gone through. `forget_deleted` lets an upsert create what was deleted in Gladly again.
    More than the share `max_forgotten` is never forgotten: it would rather be the wrong organisation.
    """

    namespace: str | None = None
    forget_deleted: bool = False
    max_forgotten: float = _UNSAFE_SHARE
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport(Summary):
    """What a repair found, all its sessions together.

    `counts` are keys: `found` lead to an object, `corrected` to another one than before, `no_longer_there` to none,
    `forgotten` were forgotten, `unknown` could not be looked at. `told` are lines for people.
    """

    things: ClassVar[str] = "keys"
    words: ClassVar[tuple[str, ...]] = (*REPAIR_WORDS, "unprocessed")

    told: tuple[str, ...] = ()

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, besides counts and files."""
        return self.told

    def _title(self) -> str:
        return f"Known keys of {self.resource}, looked up in Gladly"

    def _verdict(self) -> str:
        if self.status != "complete":
            return Summary._verdict(self)
        if self.exit_code:
            return "Finished, but not every key leads to an object in Gladly."
        return "Finished: every key leads to an object in Gladly."

    def _told(self) -> list[str]:
        return [f"{text[:1].upper()}{text[1:]}." for text in self.told]
