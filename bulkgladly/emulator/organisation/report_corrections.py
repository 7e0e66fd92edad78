"""What tests tell the reports beyond what is invented: rows put right later, and odd answers."""

from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

__all__ = ("ODDITIES", "Oddities", "Oddity", "ReportCorrections", "RestatedDay")

Oddity = Literal["none", "empty_body", "blank_first_lines", "bom", "error_text", "missing_column", "extra_column"]
"""What connectors met or must expect in place of a plain CSV (reports.md, "CSV format as connectors handle it").

`error_text` answers 200 with one line of text, `missing_column` leaves out the first key column or else
the first column, `extra_column` adds one at the end.
"""

ODDITIES: tuple[Oddity, ...] = get_args(Oddity)


class Oddities(UserDict[str, Oddity]):
    """The oddity of each metric set that has one of its own, by its name.

    Raises:
        ValueError: On assignment of something that is no oddity.
    """

    def __setitem__(self, metric_set: str, oddity: Oddity) -> None:
        if oddity not in ODDITIES:
            raise ValueError(f"oddity is {oddity!r}: it can be {', '.join(ODDITIES)}")
        super().__setitem__(metric_set, oddity)


@dataclass(slots=True)
class RestatedDay:
    """What was said about one day of one metric set; with `whole` nothing invented is left of the day."""

    whole: bool = False
    rows: list[Mapping[str, str]] = field(default_factory=list)


class ReportCorrections:
    """All of it, by metric set and day. It is not part of the state file."""

    def __init__(self) -> None:
        self.oddities = Oddities()
        self._restated: dict[str, dict[date, RestatedDay]] = {}

    def restate(self, metric_set: str, day: date) -> RestatedDay:
        """The entry for a day, to be written to."""
        return self._restated.setdefault(metric_set, {}).setdefault(day, RestatedDay())

    def restated(self, metric_set: str) -> dict[date, RestatedDay]:
        """The days of a set about which something was said, as they are now."""
        said = self._restated.get(metric_set, {})
        return {day: RestatedDay(entry.whole, list(entry.rows)) for day, entry in said.items()}
