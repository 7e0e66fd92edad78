"""Which record of a run is meant by a row, a source key or an id; and if there is none, what to say to a person."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bulkgladly.choices import closest
from bulkgladly.commands import next_command
from bulkgladly.errors import JournalError, UsageError
from bulkgladly.explanations.explain_words import is_personal
from bulkgladly.gladly.identity import digest64
from bulkgladly.journal.record_lookup import RecordLookup, SettledRecord
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.undone_runs import UNDO
from bulkgladly.records import Position, numbered_by, place_of_row
from bulkgladly.source_keys import normal_key

__all__ = ("FoundRecords", "PendingRecord", "find_records", "input_names")

_WAYS = re.compile(r"(?P<way>row|key|id):(?P<text>.+)", re.DOTALL)
_OF_FILE = re.compile(r"(?P<file>.+?)(?::|, row )(?P<number>[0-9]{1,18})", re.DOTALL)
_ROW = re.compile(r"[0-9]{1,18}")
"""The number of a row; more digits are a key or an id."""
_HOW = "name a row as {row}, or give a source key or an id of Gladly"
_MOST_NAMED = 5


class PendingRecord(NamedTuple):
    """A record that was read and has not ended: its number in the run, its file and the number of its row."""

    seq: int
    file: int
    number: int


class FoundRecords(NamedTuple):
    """The records that a text means: those of one row, or those with one key or id; some may not have ended.

    `note` says what else the text could mean.
    """

    ended: Sequence[SettledRecord]
    pending: Sequence[PendingRecord] = ()
    note: str | None = None


def input_names(run: RunFolder, header: RunHeader) -> list[str]:
    """Return the names of a run's inputs, by number: without their folders if they are told apart by the rest.

    An undo has no files of its own: its rows are those of the run that it takes back.
    """
    header = _with_inputs(run, header)
    short = [Path(item.path).name for item in header.inputs]
    return short if len(set(short)) == len(short) else [item.path for item in header.inputs]


def _with_inputs(run: RunFolder, header: RunHeader) -> RunHeader:
    if header.inputs or header.mode != UNDO or header.parent is None:
        return header
    try:
        return RunFolder(run.path.parent / header.parent).header()
    except JournalError:  # it was removed
        return header


def find_records(run: RunFolder, header: RunHeader, lookup: RecordLookup, text: str) -> FoundRecords:
    """Return the records that a text means.

    `17` is a row of the only input, or a key; `customers.csv:17` is a row; anything else a key, or an id in Gladly.
    `row:17`, `key:17` and `id:17` leave no choice.

    Raises:
        UsageError: There is none; the message has similar keys, or says how far the run is.
    """
    return _Search(run, header, lookup).find(text.strip())


class _Search:
    """One search in one run."""

    def __init__(self, run: RunFolder, header: RunHeader, lookup: RecordLookup) -> None:
        self._run, self._header, self._lookup = run, header, lookup
        self._names = input_names(run, header)
        self._paths = [item.path for item in _with_inputs(run, header).inputs]

    def find(self, text: str) -> FoundRecords:
        if chosen := _WAYS.fullmatch(text):
            way, rest = chosen["way"], chosen["text"]
            if way == "row":
                return self._of_row(rest)
            return self._named(rest, way) or self._nothing(rest)
        if (file := _OF_FILE.fullmatch(text)) and (number := self._file_number(file["file"])) is not None:
            return self._row(number, int(file["number"]))
        if _ROW.fullmatch(text):
            return self._number(text)
        return self._named(text, "") or self._nothing(text)

    # --- rows ---

    def _number(self, text: str) -> FoundRecords:
        """Return what a plain number means: a row, unless only a key has this spelling."""
        named = self._named(text, "")
        row = self._row_or_none(0, int(text)) if len(self._names) == 1 else None
        if row is not None and named is not None and self._seqs(row) != self._seqs(named):
            return row._replace(note=f"key {text} is another record: {self._command(f'key:{text}')}")
        if (found := row or named) is not None:
            return found
        try:
            return self._of_row(text)
        except UsageError as error:
            raise UsageError(f"{error} (and no record has the key or id {text})") from None

    def _of_row(self, text: str) -> FoundRecords:
        if (file := _OF_FILE.fullmatch(text)) and (number := self._file_number(file["file"])) is not None:
            return self._row(number, int(file["number"]))
        if not _ROW.fullmatch(text):
            raise UsageError(f"run {self._run.name} has no input {text!r}; {self._how()}")
        if not self._names:
            raise UsageError(f"run {self._run.name} has no input files; name a source key or an id in Gladly")
        if len(self._names) != 1:
            names = ", ".join(place_of_row(name, int(text)) for name in self._names[:_MOST_NAMED])
            raise UsageError(f"run {self._run.name} has {len(self._names)} inputs; name the row as one of {names}")
        return self._row(0, int(text))

    def _row(self, file: int, number: int) -> FoundRecords:
        found = self._row_or_none(file, number)
        return found if found is not None else self._no_row(file, number)

    def _row_or_none(self, file: int, number: int) -> FoundRecords | None:
        ended = self._lookup.of_row(file, number)
        pending = [] if ended else [PendingRecord(seq, file, number) for seq in self._lookup.pending(file, number)]
        return FoundRecords(ended, pending) if ended or pending else None

    def _file_number(self, name: str) -> int | None:
        for names in (self._names, self._paths):
            if name in names:
                return names.index(name)
        return None

    def _no_row(self, file: int, number: int) -> FoundRecords:
        name, status = self._names[file], self._run.live_status()
        place, last = place_of_row(name, number), self._lookup.last()
        at = None if last is None else last.position
        if status != "complete" and (at is None or (at.file, at.number) < (file, number)):
            reached = "nothing" if at is None else place_of_row(self._names[at.file], at.number)
            resume = next_command("resume", self._run.name, state_dir=self._run.state_dir, connects=True)
            then = "wait for it" if status == "running" else f"continue it with `{resume}`"
            raise UsageError(
                f"{place} was not reached: run {self._run.name} is {status} and has got to {reached}; {then}"
            )
        near = [str(one) for one in self._lookup.around(file, number) if one is not None]
        begins = "row begins" if len(near) == 1 else "rows begin"
        where = f"; the nearest {begins} at {numbered_by(name)} {' and '.join(near)}" if near else ""
        raise UsageError(f"run {self._run.name} has no row that begins at {place}{where}")

    # --- keys and ids ---

    def _named(self, text: str, way: str) -> FoundRecords | None:
        # All of them: if a key comes twice, the row that was refused is the one that people ask about.
        for name in dict.fromkeys((text, normal_key(text))):
            if ended := self._lookup.named(name, of_key=way != "id", of_id=way != "key"):
                return FoundRecords(ended)
        claim = None if way == "id" else self._lookup.claim(digest64("key", normal_key(text)))
        if claim is None:
            return None
        if (planned := self._lookup.of(claim.seq)) is not None:  # a plan notes no key with a record
            return FoundRecords([planned])
        return FoundRecords([], [PendingRecord(claim.seq, claim.file, claim.number)])

    def _nothing(self, text: str) -> FoundRecords:
        meant = closest(text, self._lookup.near_keys(text))
        then = f"; did you mean {self._without_person(meant)}? Otherwise {self._how()}" if meant else f"; {self._how()}"
        status = self._run.live_status()
        far = "" if status == "complete" else f" (it is {status}, so the row may not have been reached)"
        raise UsageError(f"run {self._run.name} has no record with the key or id {text!r}{far}{then}")

    # --- messages ---

    def _how(self) -> str:
        last = self._lookup.last()
        position = Position(0, 0, 17) if last is None else last.position
        name = self._names[position.file] if position.file < len(self._names) else "customers.csv"
        return _HOW.format(row=place_of_row(name, position.number).replace(", row ", ":"))

    def _without_person(self, key: str) -> str:
        """Return a key for a message; in the place of an address, the row that has it."""
        if not is_personal(key) or not (ended := self._lookup.named(key, of_key=True, of_id=False)):
            return repr(key)
        position = ended[0].position
        name = self._names[position.file] if position.file < len(self._names) else self._header.resource
        return place_of_row(name, position.number)

    def _command(self, record: str) -> str:
        return next_command("explain", self._run.name, record, state_dir=self._run.state_dir)

    @staticmethod
    def _seqs(found: FoundRecords) -> set[int]:
        return {one.seq for one in found.ended} | {one.seq for one in found.pending}
