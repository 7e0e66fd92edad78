"""What `check` tells in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.checks.check_findings import Finding, Severity
from bulkgladly.runs.observer import Estimate

__all__ = ("CHECK_COUNTS", "CheckReport")

CHECK_COUNTS = ("good", "refused", "depends", "changed", "repeated", "skipped")
"""How a row can fare: each row is counted once, by the worst that there is to say about it."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What an import of the input would run into, as far as it can be told without Gladly.

    `counts` has `read` and one entry for each of `CHECK_COUNTS`; `repeated` are rows that
    equal an earlier one and need no request. `estimates` are for the rows that would be
    sent, by mode. `not_judged` tells what could not be looked up offline, and how often.
    """

    resource: str
    mode: str
    files: tuple[str, ...]
    counts: Mapping[str, int]
    findings: Sequence[Finding]
    not_judged: Mapping[str, int]
    estimates: Mapping[str, Estimate]
    seconds: float

    @property
    def exit_code(self) -> int:
        """1 when there is something that the user should look at, else 0."""
        return int(any(finding.severity is not Severity.SKIPPED for finding in self.findings))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "resource": self.resource,
            "mode": self.mode,
            "files": list(self.files),
            "exit_code": self.exit_code,
            "counts": dict(self.counts),
            "findings": [finding.as_dict() for finding in self.findings],
            "not_judged": dict(self.not_judged),
            "estimates": {
                mode: {
                    "rows": one.rows,
                    "requests_low": one.requests_low,
                    "requests_high": one.requests_high,
                    "seconds_low": round(one.requests_low / one.per_second, 1),
                    "seconds_high": round(one.requests_high / one.per_second, 1),
                    "per_second": one.per_second,
                }
                for mode, one in self.estimates.items()
            },
            "seconds": round(self.seconds, 2),
        }
