"""How a command ended, in words that may leave the machine: counts, causes and commands, and no values of rows."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bulkgladly.plain_words import cause_text, duration_text
from bulkgladly.runs.summary import Summary, status_of
from bulkgladly.shown import shown

__all__ = ("CallEnd", "without_addresses")

_DONE = (0, 1, 6)
_MOST_BYTES = 10_000
_MOST_REASON = 500
_COUNTED = ("created", "updated", "deleted", "skipped", "unchanged", "rejected", "unknown", "unprocessed")
_EMAIL = re.compile(r"[^\s|<>()\"'`,;]+@[^\s|<>()\"'`,;]+")
_PHONE = re.compile(r"\+\d[\d .()-]{5,}\d")


def without_addresses(text: str) -> str:
    """Return a text without what looks like an email address or an international phone number.

    No text of ours has one. This is the second lock on the door: what leaves the machine cannot be taken back.
    """
    return _PHONE.sub("(phone)", _EMAIL.sub("(email)", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How a command ended: `run` is the name of its run, `report` the path of its `report.json`; empty without one.

    `page` is `report.md` without values, `next_commands` are what a person can do.
    """

    command: str
    exit_code: int
    is_good: bool
    run: str = ""
    status: str = ""
    reason: str = ""
    counts: Mapping[str, int]
    seconds: float = 0.0
    report: str = ""
    page: str = ""
    next_commands: Sequence[str] = ()

    @classmethod
    def of(cls, command: str, exit_code: int, *, is_good: bool, run: str, report: Any, failure: str) -> "CallEnd":
        """Return the end of a command. `report` is what its work returned; None if it never came so far.

        `run` is the name of the run that has begun, if any; `failure` is what the command line says instead of a
        report.
        """
        folder = getattr(report, "folder", "")
        path = Path(folder) / "report.json"
        reason = cause_text(found) if (found := getattr(report, "reason", None)) else failure
        return cls(
            command=command,
            exit_code=exit_code,
            is_good=is_good,
            run=getattr(report, "run", run) or run,
            status=getattr(report, "status", "") or ("complete" if exit_code in _DONE else status_of(exit_code)),
            reason=without_addresses(shown(reason, _MOST_REASON)),
            counts=_counts_of(report),
            seconds=getattr(report, "seconds", 0.0),
            report=str(path.absolute()) if folder and path.is_file() else "",
            page=_page_of(report),
            next_commands=tuple(without_addresses(each) for each in getattr(report, "next_commands", ())),
        )

    @property
    def title(self) -> str:
        """One line: `bulkgladly dump: failed (exit code 5)`."""
        return f"bulkgladly {self.command}: {self.status} (exit code {self.exit_code})"

    def text(self) -> str:
        """Return what a person needs who reads this far away from the machine."""
        lines = [f"Run {self.run}"] if self.run else []
        lines += [self.reason] if self.reason else []
        if told := [f"{number:,} {word}" for word, number in self.counts.items() if number]:
            lines.append(", ".join(told))
        lines += [f"Took {duration_text(self.seconds)}"] if self.seconds >= 1 else []
        lines += [f"Next: {command}" for command in self.next_commands[:1]]
        return "\n".join(lines) or "The output of the command says more."

    def tail(self) -> bytes:
        """Return the end of the page, or without one the title and the text: at most 10 kB."""
        whole = (self.page or f"{self.title}\n\n{self.text()}\n").encode("utf-8", "replace")
        # A character that is cut in two is left out.
        return whole[-_MOST_BYTES:].decode("utf-8", "ignore").encode()


def _counts_of(report: Any) -> dict[str, int]:
    """Return the outcomes of a run, or of all steps of a project; of `follow` and `listen` the events."""
    steps = getattr(report, "steps", None)
    found: Counter[str] = Counter()
    for counts in [step.counts or {} for step in steps] if steps is not None else [getattr(report, "counts", {})]:
        found.update({word: counts.get(word, 0) for word in _COUNTED})
    events = getattr(report, "events", None) or {}
    return {**found, "events": sum(events.get(name, 0) for name in ("webhook", "feed", "jobs"))}


def _page_of(report: Any) -> str:
    """Return `report.md` without values. A setting can be anything that a person has typed, so they are left out."""
    if getattr(report, "is_masked", True) is False or not hasattr(report, "as_markdown"):
        return ""
    page: str = (replace(report, settings={}) if isinstance(report, Summary) else report).as_markdown()
    return without_addresses(page)
