"""The end of a session: the result files, the invariant, the report."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.errors import InputError
from bulkgladly.formats.inputs import Inputs
from bulkgladly.journal.results import ResultFile, count_by_word, rejects_by_code, write_results
from bulkgladly.journal.runs import RunFolder, write_private
from bulkgladly.pipelines.report import COUNT_WORDS, Report
from bulkgladly.records import Mark, Row, Word
from bulkgladly.resources.table import RESOURCES

__all__ = ("Ending", "publish")

READ_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended, as the journal and the stop saw it.

    `exit_code` None stands for the end of the input.
    """

    exit_code: int | None
    reason: str | None
    mark: Mark
    is_settled: Callable[[int], bool]
    vitals: Mapping[str, Any]


def publish(folder: RunFolder, inputs: Inputs, ending: Ending) -> Report:
    """Write the result files and the report of a run, and return the report.

    The number of rows read is found by reading on from the low-water mark to the end of
    the input, independently of the outcomes that it is compared with.
    """
    rest = _Rest(inputs, ending)
    names = [str(file.path) for file in inputs.files]
    files = write_results(folder.path, names, rest)
    by_word = count_by_word(folder.path)
    counts = {word: by_word.get(word, 0) for word in COUNT_WORDS}
    counts["unprocessed"] = rest.unprocessed
    header = folder.header()
    status, exit_code = _verdict(ending, counts)
    report = Report(
        run=folder.name,
        status=status,
        exit_code=exit_code,
        reason=ending.reason,
        resource=header.resource,
        mode=header.mode,
        host=header.host,
        counts={"read": rest.read, **counts},
        requests=ending.vitals["requests"],
        requests_total=sum(ending.vitals["requests"].values()),
        throttled=ending.vitals["throttled"],
        waits_s=ending.vitals["waits"],
        seconds=ending.vitals["seconds"],
        files={Path(file.path).name: _about(file) for file in files},
        folder=str(folder.path),
        rejects_by_code=rejects_by_code(folder.path),
        next_commands=_next_commands(folder, status, counts),
        started_at=header.created_at,
        ended_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
    write_private(folder.path / "report.json", orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2))
    write_private(folder.path / "report.md", report.as_markdown().encode())
    return report


class _Rest:
    """The rows without an outcome; counts them, and all rows, on the way."""

    def __init__(self, inputs: Inputs, ending: Ending) -> None:
        self._inputs, self._ending = inputs, ending
        self.unprocessed = 0
        self.read = ending.mark.seq

    def __iter__(self) -> Iterator[Row]:
        try:
            for rows in self._inputs.batches(self._ending.mark, size=READ_ROWS):
                self.read = rows[-1].seq + 1
                for row in rows:
                    if not self._ending.is_settled(row.seq):
                        self.unprocessed += 1
                        yield row
        except InputError:
            if self._ending.exit_code is None:
                raise
            # The run ended for it, or before it: what could be read is what is told.


def _verdict(ending: Ending, counts: Mapping[str, int]) -> tuple[str, int]:
    if ending.exit_code is None or (ending.exit_code == 10 and not counts["unprocessed"]):
        return "complete", 1 if counts[Word.REJECTED] or counts[Word.UNKNOWN] else 0
    if ending.exit_code in (3, 10):
        return "stopped", ending.exit_code
    if ending.exit_code > 128:
        return "interrupted", ending.exit_code
    return "failed", ending.exit_code


def _next_commands(folder: RunFolder, status: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    where = "" if folder.state_dir == Path(".bulkgladly") else f" --state-dir {folder.state_dir}"
    commands = []
    if status != "complete":
        commands.append(f"bulkgladly resume {folder.name}{where}")
    elif counts[Word.REJECTED] or (counts[Word.UNKNOWN] and not _is_at_most_once(folder)):
        commands.append(f"bulkgladly retry {folder.name}{where}")
    commands.append(f"bulkgladly runs show {folder.name}{where}")
    return tuple(commands)


def _is_at_most_once(folder: RunFolder) -> bool:
    """Tell whether a retry would leave what is unknown alone, since it may have been sent."""
    spec = RESOURCES.get(folder.header().resource)
    return spec is not None and spec.is_at_most_once


def _about(file: ResultFile) -> dict[str, Any]:
    return {"path": file.path, "rows": file.rows, "bytes": file.size, "blake2b": file.digest}
