"""Dates that can be read in two ways: 03/04/2026, where a mapping takes months first and days first."""

from collections.abc import Sequence

from bulkgladly.checks.check_report import Findings, Severity
from bulkgladly.files.inputs import Expand
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.records import Position, Problem, Row

__all__ = ("DateScreen",)


class DateScreen:
    """Notes the rows in which two forms of a date fit and mean different days. No row is refused.

    An import takes the first form that fits. Only a person knows which one the file means.
    """

    def __init__(self, expand: Expand | None, findings: Findings) -> None:
        self._mapper = expand if isinstance(expand, Mapper) and expand.can_be_ambiguous else None
        self._findings = findings
        self._last: Position | None = None

    def look(self, rows: Sequence[Row]) -> None:
        """Note the dates of rows as they stand in the file. Several records of one row count once."""
        if self._mapper is None:
            return
        for row in rows:
            if row.position == self._last or row.source is None:
                continue
            self._last = row.position
            for rule in self._mapper.ambiguous_dates(row.source):
                detail = f"{rule.label} fits two forms of its date, which mean different days; the first is used"
                self._findings.note(row, [Problem("ambiguous_date", detail, rule.target)], Severity.NOTED)
