"""What an import did: outcomes, rejects, result files."""

from dataclasses import dataclass
from typing import Any

from bulkgladly.runs.observer import duration_text
from bulkgladly.runs.summary import Summary, table_of
from bulkgladly.shown import MOST_NAME, shown, shown_cell

__all__ = ("Report",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Summary):
    """What an import did, all its sessions together. `report.json` and `--json` hold the same.

    `rejects_by_code` counts the rejects by what is wrong with them; `files` has the result
    files by name. The rest is as in every summary.
    """

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, beside counts and files."""
        return tuple(f"{number:>9,} x {shown(code, MOST_NAME)}" for code, number in self.rejects_by_code.items())

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form of `report.json`."""
        return {**Summary.as_dict(self), "requests_per_second": round(self.per_second, 3)}

    def _told(self) -> list[str]:
        reason = shown_cell(self.reason or "please report this as a bug")
        return ["The sum adds up." if self.adds_up else f"The sum does not add up ({reason})."]

    def _tables(self) -> list[str]:
        codes = [(shown_cell(code), number) for code, number in self.rejects_by_code.items()]
        files = "\n".join(
            f"| {name} | {about['rows']:,} | `{about['blake2b']}` |" for name, about in self.files.items()
        )
        return [
            *([table_of(("reject", "records"), codes)] if codes else []),
            f"| file | rows | BLAKE2b |\n|---|---:|---|\n{files}",
        ]

    def _effort(self) -> str:
        waits = "".join(
            f"; waited {duration_text(span)}: {shown_cell(reason)}" for reason, span in self.waits_s.items()
        )
        return f"{Summary._effort(self)}, {self.per_second:.2f} requests a second{waits}"
