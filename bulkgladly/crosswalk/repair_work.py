"""The work of a repair, as the engine of runs drives it: keys are read in pages, looked up, and settled.

A page is *settled* when all its entries were looked at: first the state is corrected, then the journal notes the page,
so that a kill repeats requests that only read. Pages are settled in their order, so that a resume begins after the
last one.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import anyio.to_thread
import orjson

from bulkgladly.commands import next_command
from bulkgladly.crosswalk.crosswalk_findings import REPAIR_WORDS, finding_line, said_of_keys, settled_pages
from bulkgladly.crosswalk.repair_report import RepairOptions, RepairReport
from bulkgladly.errors import UsageError
from bulkgladly.gladly.endpoints import MAX_MERGES
from bulkgladly.gladly.spec import ImportSpec, Record
from bulkgladly.imports.run_findings import about_file
from bulkgladly.journal.crosswalk import CrosswalkRepairs, KnownId
from bulkgladly.journal.results import publish_lines
from bulkgladly.journal.units import UnitLine, UnitLog
from bulkgladly.messages import Request
from bulkgladly.records import Position, Row
from bulkgladly.runs.observer import Estimate, counted, share_text
from bulkgladly.runs.session import Progress, Session
from bulkgladly.runs.stages import Feed
from bulkgladly.runs.summary import Ending, resume_command, status_of

__all__ = ("RepairWork",)

PAGE = 10
_LEAST_JUDGED = 10
_PER_PAGE_LABEL = 9


class _KeysEstimate(Estimate):
    """What a repair is expected to take; merges cost one request more."""

    def text(self) -> str:
        return f"{counted(self.rows, 'key')} to look at: {self.effort()}; Ctrl-C stops safely"


class _Sight(NamedTuple):
    """What a look at one key showed: a word of the counts, and the other id or why it is not known."""

    word: str
    detail: str = ""


class _Page:
    """Some entries that are settled together, and what became of those that were looked at."""

    def __init__(self, entries: list[KnownId]) -> None:
        self.entries = entries
        self.seen: dict[KnownId, _Sight] = {}

    @property
    def is_done(self) -> bool:
        return len(self.seen) == len(self.entries)


class RepairWork:
    """One session of a repair. Chapters: as in `Work`; looking at one id; settling pages; the summary."""

    def __init__(self, session: Session, spec: ImportSpec, options: RepairOptions) -> None:
        self._session, self._spec, self._options = session, spec, options
        self.journal = UnitLog(session.run.path, vitals=session.connection.vitals)
        host = session.connection.host
        self.repairs = CrosswalkRepairs(options.state_dir / "state.sqlite", host, spec.name, options.namespace)
        self._counts, self._done, self._pages = settled_pages(self.journal.units())
        self._begun_with = self._counts.total()
        self._total = self._begun_with + self.repairs.left_after(self._done)
        self._open: deque[_Page] = deque()
        self._feed: Feed[tuple[_Page, KnownId]] = Feed(max(2 * PAGE, 2 * self.workers))
        self._turn = anyio.Lock()

    @property
    def workers(self) -> int:
        """How many ids are looked up at once."""
        return self._session.connection.concurrency

    async def begin(self) -> None:
        """Announce how many keys are looked up, and how long that takes."""
        left = self._total - self._begun_with
        if not left:
            self._session.observer.note(f"no key of {self._spec.name} is left to look at")
            return
        # Merges cost one request more, and how many there are is not known.
        keys = Estimate.of((1, 1), left, True, self._session.steering.foreseen())
        estimate = replace(keys, is_about=True).of_run()
        self._session.deadline.judge(estimate)
        told = _KeysEstimate(**{each.name: getattr(estimate, each.name) for each in fields(estimate)})
        self._session.observer.started(self._session.run.name, told, resumed_from=self._begun_with)

    async def read(self) -> None:
        """Read the keys in pages, and pass them on."""
        at = self._done
        while entries := await anyio.to_thread.run_sync(self.repairs.page_after, at, PAGE):
            page = _Page(entries)
            self._open.append(page)
            wanted = [(page, one) for one in entries]
            while wanted:
                room = await self._feed.room()
                self._feed.put(wanted[:room])
                del wanted[:room]
            at = (entries[-1].namespace, entries[-1].key)

    async def hand_over(self) -> None:
        """Every key needs a request."""

    async def take(self) -> None:
        """Look up one id after the other, and settle the pages that are done."""
        while (item := await self._feed.take()) is not None:
            page, one = item
            page.seen[one] = await self._look(one)
            if page.is_done:
                await self._settle_pages()

    async def close(self) -> None:
        """Let the workers end: after all keys, or in a stop after those that they have begun."""
        if self._session.stop.is_draining:
            self._feed.empty()
        self._feed.close()

    def progress(self) -> Progress:
        """Return how many keys are settled, and how they were found."""
        host = self._session.connection.host
        counts = dict(self._counts)
        return Progress(
            counts,
            self._counts.total(),
            self._total,
            begun_with=self._begun_with,
            things="keys",
            subject=f"known {self._spec.name} of {host}",
        )

    async def settle(self) -> None:
        """Forget the keys of deleted objects, if that is wanted and all keys were looked up."""
        if self._options.forget_deleted and self._session.stop.exit_code is None:
            await anyio.to_thread.run_sync(self._forget)

    # --- looking at one id ---

    async def _look(self, one: KnownId) -> _Sight:
        """Request an object, and follow merges. Only Gladly's own word that it does not exist counts as that."""
        gladly_id = one.gladly_id
        for _ in range(MAX_MERGES + 1):
            reply = await self._session.client.send(self._request(gladly_id))
            if reply.object is not None:
                return _Sight("unchanged") if gladly_id == one.gladly_id else _Sight("updated", gladly_id)
            if reply.is_absent:
                merged = "" if gladly_id == one.gladly_id else f"; it was merged into {gladly_id}"
                return _Sight("rejected", f"Gladly has no such object{merged}")
            if reply.successor is None:
                return _Sight("unknown", f"the response could not be used (HTTP {reply.status or 'none'})")
            gladly_id = reply.successor
        return _Sight("unknown", f"more than {MAX_MERGES} merges, one after the other")

    def _request(self, gladly_id: str) -> Request:
        if self._spec.fetch is None:
            raise UsageError(f"{self._spec.name} cannot be requested by their id")
        row = Row(Position(0, 0, 0), {})
        return self._spec.fetch(Record(row, "", gladly_id, True, {}, {}, (), (), None, None), gladly_id)

    # --- settling pages ---

    async def _settle_pages(self) -> None:
        # One at a time and in their order: a resume begins after the last one, and may skip none.
        async with self._turn:
            while self._open and self._open[0].is_done:
                page = self._open[0]
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._write, page)
                self._open.popleft()

    def _write(self, page: _Page) -> None:
        moved = [(one, sight.detail) for one, sight in page.seen.items() if sight.word == "updated"]
        if moved:
            self.repairs.repoint(moved)
        counts = Counter(sight.word for sight in page.seen.values())
        last = page.entries[-1]
        about = {
            "until": [last.namespace, last.key],
            "counts": counts,
            "told": [[*one, *sight] for one, sight in page.seen.items() if sight.word != "unchanged"],
        }
        name = str(self._pages + 1).zfill(_PER_PAGE_LABEL)
        detail = orjson.dumps(about).decode()
        states = (counts["updated"], counts["unchanged"], counts["rejected"])
        self.journal.settle(UnitLine(self._spec.name, name, "done", 0, *states, detail))
        self._pages += 1
        self._counts.update(counts)
        self._done = (last.namespace, last.key)

    def _forget(self) -> None:
        """Forget the keys of objects that Gladly has deleted, unless they are suspiciously many."""
        gone = [KnownId(*one[:3]) for one in self._told() if one[3] == "rejected"]
        if not gone:
            return
        share = len(gone) / self._total
        if len(gone) > _LEAST_JUDGED and share > self._options.max_forgotten:
            self._session.stop.reached(
                3,
                f"Gladly has deleted {share_text(len(gone), self._total)} of the known {self._spec.name}, which is "
                "suspicious, so nothing was forgotten; check the organisation, then pass --max-forgotten",
            )
            return
        self.repairs.forget(gone)
        self._counts["deleted"] += self._counts.pop("rejected")

    def _told(self) -> Iterator[list[str]]:
        """Yield what is to be told of single keys: namespace, key, id, word, detail."""
        for line in self.journal.units():
            yield from orjson.loads(line.detail)["told"]

    # --- the summary ---

    def summary(self, common: Mapping[str, Any]) -> RepairReport:
        """Write `repair.ndjson`, and return what was found in all sessions."""
        stop = self._session.stop
        counts = {**dict.fromkeys(RepairReport.words, 0), **said_of_keys(self._counts)}
        counts["unprocessed"] = self._total - self._counts.total()
        code, folder = stop.exit_code, self._session.run.path
        lines = publish_lines(folder / "repair.ndjson", map(finding_line, self._told()))
        ended = 1 if counts["no_longer_there"] or counts["unknown"] else 0
        status = "complete" if code is None or not counts["unprocessed"] else status_of(code)
        return RepairReport(
            **common,
            **Ending(status, ended if code is None else code, stop.reason)._asdict(),
            counts={"read": self._total, **counts},
            files={"repair.ndjson": about_file(lines)} if lines.rows else {},
            rejects_by_code={"not_exist": counts["no_longer_there"]} if counts["no_longer_there"] else {},
            next_commands=self._next(code, counts),
            told=tuple(self._told_lines(counts)),
        )

    def _next(self, code: int | None, counts: Mapping[str, int]) -> tuple[str, ...]:
        if code is not None and counts["unprocessed"]:
            return (resume_command(self._session.run),)
        if counts["unknown"]:
            words = ("crosswalk", "repair", self._spec.name)
            return (next_command(*words, state_dir=self._options.state_dir, connects=True),)
        return ()

    def _told_lines(self, counts: Mapping[str, int]) -> Iterator[str]:
        if counts["corrected"]:
            yield f"{counted(counts['corrected'], 'key')} now lead to the customer that remains after a merge"
        if counts["forgotten"]:
            yield f"{counted(counts['forgotten'], 'key')} forgotten: an import of these rows creates the objects again"
        if counts["no_longer_there"]:
            yield (
                f"{counted(counts['no_longer_there'], 'key')} of objects that were deleted in Gladly; an import does "
                "not create them again, unless you let this command forget them: --forget-deleted"
            )
        if counts["unknown"]:
            yield f"{counted(counts['unknown'], 'key')} left as they were: the responses could not be used"
        more = sum(counts[word] for word in REPAIR_WORDS) - counts["found"]
        if more:
            yield f"each of them is in {self._session.run.path / 'repair.ndjson'}"
