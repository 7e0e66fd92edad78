"""The first records of a run, after which it stops for a person to look at them in Gladly."""

import anyio

from bulkgladly.commands import next_command
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.databases import reading
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Outcome, Word
from bulkgladly.runs.observer import counted
from bulkgladly.runs.stages import Stop

__all__ = ("CANARY", "FOR_A_LOOK", "Canary", "canary_owed")

FOR_A_LOOK = "sent for you to check in Gladly; `resume` sends the others"
"""In the reason of a run that a canary has stopped."""

CANARY = "canary"
"""The note in the journal of how many records a session sends before somebody has a look; 0 when all have ended."""

_MOST_NAMED = 5
_WRITTEN = (Word.CREATED, Word.UPDATED, Word.DELETED)


class Canary:
    """Lets the first `most` records that take a request go, and no other one; when these have ended, it stops the run.

    A record that is rejected counts as well: if the first hundred are, a person wants to know, and not the next
    hundred thousand to be tried.
    """

    def __init__(self, most: int, stop: Stop) -> None:
        self._most, self._stop = most, stop
        self._begun = self._ended = self._settled = 0
        self._all_ended = anyio.Event()
        self._seen: list[str] = []
        self._first = ""

    @property
    def is_over(self) -> bool:
        """Whether all that may be sent before the look have their outcome."""
        return self._settled >= self._most

    async def admits(self) -> bool:
        """Tell whether a record may be sent. If not, all that may have ended when this returns, and the run stops.

        Each record that may needs one call of `ended`.
        """
        if self._begun < self._most:
            self._begun += 1
            return True
        await self._all_ended.wait()
        self._stop.drain(10, self._reason())
        return False

    def note(self, place: str, name: str, outcome: Outcome) -> None:
        """Keep for people what became of a record at a place, such as `customers.csv:3`.

        `name` is how a command names its row.
        """
        self._settled += 1
        if outcome.word in _WRITTEN and outcome.gladly_id and len(self._seen) < _MOST_NAMED:
            self._first = self._first or name
            self._seen.append(f"{place} {outcome.word.value} {outcome.gladly_id}")

    def ended(self) -> None:
        """Note that a record has ended, or was given up."""
        self._ended += 1
        if self._ended == self._most:
            self._all_ended.set()

    def _reason(self) -> str:
        were = "record was" if self._most == 1 else "records were"
        return f"{self._most:,} {were} {FOR_A_LOOK}"

    def lines(self, run: RunFolder, spec: ImportSpec) -> list[str]:
        """Return for people which records to look at, and the commands for that.

        None if the run went on to its end, or nothing was written.
        """
        if not self.is_over or not self._seen:
            return []
        more = self._most - len(self._seen)
        others = f" and {counted(more, 'other record')}" if more > 0 else ""

        def command(verb: str, *words: str) -> str:
            return next_command(verb, run.name, *words, state_dir=run.state_dir, connects=True)

        lines = [f"look at these in Gladly: {'; '.join(self._seen)}{others}"]
        lines.append(f"to see what was sent for the first one, and why: `{command('explain', self._first)}`")
        if spec.proof is not None:
            lines.append(f"to compare what Gladly holds with the file: `{command('verify')}`")
        # What is new can be taken back only where Gladly's API deletes such objects.
        if spec.reversal is not None and spec.reversal.can_delete and not spec.contacts_people:
            lines.append(f"to take it all back: `{command('undo')}`")
        return lines


def canary_owed(run: RunFolder) -> int | None:
    """Return how many records the last session of a run was to send for a look, if it ended or died before that.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    with reading(run.path / "journal.sqlite") as journal:
        row = journal.execute("SELECT value FROM meta WHERE name = ?", (CANARY,)).fetchone()
    # A process that died before it noted this has sent nothing, so what the run began with holds.
    found = run.header().settings.get("limits", {}).get("canary") if row is None else int(row[0])
    return found or None
