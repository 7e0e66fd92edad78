"""Corrections of the reports by tests: restated rows, and odd responses."""

from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

__all__ = ("ODDITIES", "Oddities", "Oddity", "ReportCorrections", "RestatedDay")

Oddity = Literal["none", "empty_body", "blank_first_lines", "bom", "error_text", "missing_column", "extra_column"]
"""What connectors have seen or must expect instead of a plain CSV (reports.md, "CSV format as connectors handle it").

`error_text` is a 200 with one line of text, `missing_column` leaves out the first key column, or else
the first column, and `extra_column` adds one at the end.
"""

ODDITIES: tuple[Oddity, ...] = get_args(Oddity)


class Oddities(UserDict[str, Oddity]):
    """The oddities of single metric sets, by the name of the set.

    Raises:
        ValueError: The assigned value is not a valid oddity.
    """

    def __setitem__(self, metric_set: str, oddity: Oddity) -> None:
        if oddity not in ODDITIES:
            raise ValueError(f"oddity is {oddity!r}: it can be {', '.join(ODDITIES)}")
        super().__setitem__(metric_set, oddity)


@dataclass(slots=True)
class RestatedDay:
    """The restated rows of one day of one metric set; with `whole` they replace all invented rows."""

    whole: bool = False
    rows: list[Mapping[str, str]] = field(default_factory=list)


class ReportCorrections:
    """All corrections, by metric set and day. They are not part of the state file."""

    def __init__(self) -> None:
        self.oddities = Oddities()
        self._restated: dict[str, dict[date, RestatedDay]] = {}

    def restate(self, metric_set: str, day: date) -> RestatedDay:
        """Return the entry for a day; the caller may change it."""
        return self._restated.setdefault(metric_set, {}).setdefault(day, RestatedDay())

    def restated(self, metric_set: str) -> dict[date, RestatedDay]:
        """Return a copy of the restated days of a set."""
        said = self._restated.get(metric_set, {})
        return {day: RestatedDay(entry.whole, list(entry.rows)) for day, entry in said.items()}
