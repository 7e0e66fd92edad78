"""What an export did: rows, units, gaps, and what comes next."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bulkgladly.journal.runs import RunHeader
from bulkgladly.journal.units import UnitLine
from bulkgladly.pipelines.exports.units import UnitState
from bulkgladly.pipelines.report import COUNT_WORDS, counted, duration_text
from bulkgladly.shown import shown, shown_cell

__all__ = ("ExportReport", "Told", "counts_of", "report_of")

MOST_TOLD = 100
_FINE = (UnitState.DONE, UnitState.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Told:
    """A unit that did not simply go well, and why."""

    data_set: str
    unit: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did, all its sessions together. `report.json` and `--json` hold the same.

    `counts` are rows: `read` and the outcome words, as for an import. `created` are rows
    that the data set did not have, `updated` took the place of an earlier one, `unchanged`
    were there already, `rejected` stand in `_rejects`. `units` counts, for each data set,
    how its units ended; `told` has those that did not go well, a hundred at most. `files`
    has for each data set its folder and what is in it now. `next_loss` is from when on data
    is lost unless another export runs before.
    """

    run: str
    status: str
    exit_code: int
    reason: str | None
    resource: str
    mode: str
    host: str
    out: str
    counts: Mapping[str, int]
    units: Mapping[str, Mapping[str, int]]
    told: tuple[Told, ...]
    notes: tuple[str, ...]
    requests: Mapping[str, int]
    requests_total: int
    throttled: int
    waits_s: Mapping[str, float]
    seconds: float
    files: Mapping[str, Mapping[str, Any]]
    folder: str
    next_loss: str | None = None
    next_commands: tuple[str, ...] = ()
    started_at: str = ""
    ended_at: str = ""
    rejects_by_code: Mapping[str, int] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        """The invariant: read is the sum of all outcomes."""
        return self.counts["read"] == sum(self.counts[word] for word in COUNT_WORDS)

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, beside counts and files."""
        total: Counter[str] = Counter()
        for states in self.units.values():
            total.update(states)
        lines = [", ".join(f"{number:,} {state}" for state, number in sorted(total.items())) or "no units"]
        lines[0] = "units: " + lines[0]
        lines += [f"{one.state}: {one.data_set} {one.unit}: {one.detail}" for one in self.told[:10]]
        if len(self.told) > 10:
            lines.append(f"and {len(self.told) - 10} more in report.json")
        if any(one.state == UnitState.FAILED for one in self.told) and self.status == "complete":
            lines.append("the same command again fetches what failed, and nothing that is there")
        lines += self.notes
        if self.next_loss is not None:
            lines.append(f"run it again before {self.next_loss}: from then on Gladly drops what was not fetched")
        return tuple(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form of `report.json`."""
        return {**asdict(self), "invariant_holds": self.adds_up}

    def as_markdown(self) -> str:
        """Return the report as one page for people."""
        rows = "\n".join(f"| {word} | {self.counts[word]:,} |" for word in ("read", *COUNT_WORDS))
        sent = "\n".join(f"| {name} | {number:,} |" for name, number in sorted(self.requests.items()))
        files = "\n".join(
            f"| {name} | {about['rows']:,} | {about['parts']:,} | {about['bytes']:,} |"
            for name, about in self.files.items()
        )
        told = "\n".join(f"- {shown_cell(line)}" for line in self.details)
        verdict = (
            f"{self.resource}, {self.host}, into {shown_cell(self.out)}: **{self.status}** (exit code {self.exit_code})"
        )
        if self.reason:
            verdict += f", {shown_cell(self.reason)}"
        effort = f"{counted(self.throttled, 'answer')} of 429; {duration_text(self.seconds)} of work"
        return (
            "\n\n".join(
                [
                    f"# {self.run}",
                    verdict,
                    f"| outcome | rows |\n|---|---:|\n{rows}",
                    told,
                    f"| request | sent |\n|---|---:|\n{sent}",
                    f"{effort}; {self.started_at} to {self.ended_at}.",
                    f"| data set | rows | parts | bytes |\n|---|---:|---:|---:|\n{files}",
                    "Next:\n\n" + "\n".join(f"    {shown(command)}" for command in self.next_commands),
                ]
            )
            + "\n"
        )


def counts_of(lines: Sequence[UnitLine]) -> dict[str, int]:
    """Return the rows of all units under the outcome words, and `read`, their sum."""
    counts = dict.fromkeys(COUNT_WORDS, 0)
    for line in lines:
        for word in ("created", "updated", "unchanged", "rejected"):
            counts[word] += getattr(line, word)
    return {"read": sum(counts.values()), **counts}


def report_of(
    header: RunHeader,
    folder: Path,
    lines: Sequence[UnitLine],
    *,
    stopped: tuple[int | None, str | None],
    vitals: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    notes: Sequence[str],
    next_loss: dt.datetime | None,
    next_commands: Sequence[str],
) -> ExportReport:
    """Put a report together. `stopped` is the exit code and reason of a run that ended early."""
    bad = [line for line in lines if line.state not in _FINE]
    counts = counts_of(lines)
    exit_code, reason = stopped
    status = "complete"
    if exit_code is None:
        exit_code = 1 if bad or counts["rejected"] else 0
    else:
        status = "stopped" if exit_code in (3, 10) else "interrupted" if exit_code > 128 else "failed"
    units: dict[str, Counter[str]] = {}
    for line in lines:
        units.setdefault(line.data_set, Counter())[line.state] += 1
    return ExportReport(
        run=folder.name,
        status=status,
        exit_code=exit_code,
        reason=reason,
        resource=header.resource,
        mode=header.mode,
        host=header.host,
        out=str(header.settings["out"]),
        counts=counts,
        units={name: dict(states) for name, states in units.items()},
        told=tuple(Told(line.data_set, line.name, line.state, line.detail) for line in bad[:MOST_TOLD]),
        notes=tuple(notes),
        requests=vitals["requests"],
        requests_total=sum(vitals["requests"].values()),
        throttled=vitals["throttled"],
        waits_s=vitals["waits"],
        seconds=vitals["seconds"],
        files=files,
        folder=str(folder),
        next_loss=f"{next_loss:%Y-%m-%d %H:%M} UTC" if next_loss else None,
        next_commands=tuple(next_commands),
        started_at=header.created_at,
        ended_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
