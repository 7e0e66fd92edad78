"""What a data set was worth for the rows of an import: counted, and told to people."""

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bulkgladly.runs.observer import counted, duration_text
from bulkgladly.settings import Foreseen

__all__ = ("OLD", "BaselineFindings", "moment_of_micros", "told_lines")

OLD = dt.timedelta(days=7)
"""Beyond this age of its newest row, a data set is called old."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(slots=True)
class BaselineFindings:
    """What a data set was worth for the rows so far.

    `matched` counts rows by what they were matched by (`id`, `email`, `phone`). `ambiguous` rows have addresses of
    several objects, or of one that another row has matched; `left` differ from the object that has their address, so
    that the conflict policy decides, as `left_to` says.
    `lacking` counts rows by a field that they have and the data set lacks. `asked` counts all rows that earlier runs
    did not know.
    """

    lake: str
    data_sets: tuple[str, ...]
    objects: int
    oldest: dt.datetime | None
    newest: dt.datetime | None
    empty: tuple[str, ...] = ()
    asked: int = 0
    matched: Counter[str] = field(default_factory=Counter[str])
    ambiguous: int = 0
    left: int = 0
    left_to: str = ""
    lacking: Counter[str] = field(default_factory=Counter[str])
    read_first: int = 0
    """Rows of which a field is lacking, so that they are read first."""

    @property
    def age(self) -> dt.timedelta | None:
        """How long ago the newest row was fetched."""
        return None if self.newest is None else dt.datetime.now(dt.UTC) - self.newest

    def as_dict(self) -> dict[str, Any]:
        """Return it in the form of `report.json`."""
        return {
            "lake": self.lake,
            "data_sets": list(self.data_sets),
            "objects": self.objects,
            "oldest": self.oldest and self.oldest.isoformat(timespec="seconds"),
            "newest": self.newest and self.newest.isoformat(timespec="seconds"),
            "asked": self.asked,
            "matched": dict(self.matched),
            "ambiguous": self.ambiguous,
            "left_to_policy": self.left,
            "lacking": dict(self.lacking),
            "read_first": self.read_first,
        }


def told_lines(
    findings: BaselineFindings, rows: int, factor: float, pace: Foreseen, *, is_rest: bool = False
) -> list[str]:
    """Return what a data set is worth for `rows` that were looked at, for people.

    The whole input has `factor` times as many rows. Rows that are read first are priced at a pace. With `is_rest` an
    earlier session has looked at the rows before.
    """
    matched = findings.matched.total()
    by = ", ".join(f"{number:,} by {name}" for name, number in findings.matched.most_common() if number)
    which = "last" if is_rest else "first"
    whole = counted(rows, "row") if factor == 1 and not is_rest else f"the {which} {counted(rows, 'row')}"
    share = f"{matched:,} of {whole} match" + (f" ({by})" if by else "")
    lines = [f"baseline {findings.lake}: {counted(findings.objects, 'object')}{_span(findings)}; {share}"]
    if findings.read_first:
        fields = ", ".join(name for name, _ in findings.lacking.most_common())
        first = round(findings.read_first * factor)
        time = "" if math.isinf(pace.usual) else f", {duration_text(pace.seconds_for(first))}"
        lines.append(
            f"baseline: the data set lacks {fields}; {'' if factor == 1 else 'about '}{counted(first, 'row')} "
            f"with such a field are read first{time}"
        )
    if findings.ambiguous:
        lines.append(
            f"baseline: {counted(findings.ambiguous, 'row')} have addresses of several objects, so the data set is "
            "not used for them"
        )
    if findings.left:
        differ = "differs" if findings.left == 1 else "differ"
        lines.append(
            f"baseline: {counted(findings.left, 'row')} {differ} from the customer who has the address; "
            f"{findings.left_to}"
        )
    age = findings.age
    if age is not None and age > OLD:
        lines.append(
            f"baseline: its newest row is {age.days} days old; what people have changed in Gladly since then is not "
            "seen"
        )
    return lines


def _span(findings: BaselineFindings) -> str:
    if findings.oldest is None or findings.newest is None:
        return ""
    first, last = (f"{one:%Y-%m-%d %H:%M}" for one in (findings.oldest, findings.newest))
    return f" of {first} UTC" if first == last else f", fetched {first} to {last} UTC"


def moment_of_micros(micros: int | None) -> dt.datetime | None:
    """Return a time that is given in microseconds since 1970; None if it is 0 or not known."""
    return None if not micros else _EPOCH + dt.timedelta(microseconds=micros)
