"""Single replies before they are part of a data set: kept one by one as they arrive, published many at a time.

A reply is on the disk, in the run's journal, when `keep` returns. `publish` writes all waiting replies
as one unit, then drops them. After a kill in between, the time of each reply, which stands in its rows
and in the manifest, shows that it is published, so that it is not published again. Times are trusted
for nothing else: one in the future does not prevent a key from being requested again.
"""

import datetime as dt
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bulkgladly.exports.export_context import Context
from bulkgladly.exports.price import Price
from bulkgladly.exports.unit_kinds import ExportUnit, UnitResult, UnitState
from bulkgladly.exports.worklist import ToAsk, WorkList
from bulkgladly.gladly.exports import COMPOSITE, LiveExport
from bulkgladly.gladly.table import live_export
from bulkgladly.journal.units import KeptReply
from bulkgladly.json_slices import elements_of, spliced
from bulkgladly.lake.published_rows import micros_of, values_in
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import StampedRows
from bulkgladly.runs.environment import Bounds
from bulkgladly.runs.observer import Estimate

__all__ = ("CUT", "GONE", "PUBLISHING", "WHOLE", "KeptReplies", "PublishStep", "ReplyBuffer", "floor_of", "in_chunks")

WHOLE, CUT, GONE = 200, 206, 404
"""The status a reply is kept with; 206 (partial content) is our own, for a list that Gladly has cut."""

_ASKED, _FETCHED = "_asked_id", "_fetched_at"
_TOLD = 20
_FEW = 10
"""So few requests are over before anybody has read how long they take."""
PUBLISHING = "(answers)"
"""The name of a step that publishes, as long as it has no unit."""


@dataclass(slots=True)
class _Chunk:
    """The waiting replies as lines, each with its time, and by key what the rows alone do not show."""

    lines: list[bytes] = field(default_factory=list[bytes])
    times: list[int] = field(default_factory=list[int])
    updated: int = 0
    gone: dict[str, int] = field(default_factory=dict[str, int])
    empty: dict[str, int] = field(default_factory=dict[str, int])
    cut: dict[str, int] = field(default_factory=dict[str, int])


class ReplyBuffer:
    """The replies for one export word. `keep` and `publish` can run side by side, each in a worker thread."""

    def __init__(self, row: LiveExport) -> None:
        self.row = row
        self.data_set = DATA_SETS[row.data_set]
        self.work = WorkList()
        self.cut: set[str] = set()
        """The keys of all lists that were ever cut."""
        self.gone = 0
        """How many keys of this session Gladly has nothing for: it says that they do not exist."""
        self._waiting = 0
        self._waiting_bytes = 0
        self._counting, self._publishing = threading.Lock(), threading.Lock()

    def is_full(self, bounds: Bounds) -> bool:
        """Tell whether enough replies wait to be published."""
        return self._waiting >= bounds.replies_in_unit or self._waiting_bytes >= bounds.bytes_in_unit

    @property
    def is_waiting(self) -> bool:
        """Whether a reply waits to be published."""
        return self._waiting > 0

    def begin(self, context: Context) -> None:
        """Read what the data set has, and what an earlier session left in the journal."""
        kept = context.log.kept(self.row.word)
        waiting = {reply.key: _micros(reply) for reply in kept}
        published: set[str] = set()
        now = micros_of(context.clock())

        def told(answered: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
            for key, at in answered:
                if waiting.get(key, -1) == at:
                    published.add(key)
                # A time in the future was written by a fast clock: the key was answered, but when is not known.
                yield key, at if at <= now else 0

        for columns in _key_columns(self.row):
            for rows in values_in(context.folder, self.data_set.name, (*columns, _FETCHED)):
                known = ((COMPOSITE.join(row[:-1]), row[-1] or 0) for row in rows if None not in row[:-1])
                self.work.know(told(known))
        for manifest in context.folder.iter_manifests(self.data_set.name):
            for name in ("gone", "empty"):
                self.work.know(told(_times_in(manifest.source.get(name))))
            self.cut.update(key for key, _ in _times_in(manifest.source.get("cut")))
        published |= {key for key, at in waiting.items() if (self.work.known_at(key) or 0) >= at}
        if published:
            context.log.drop(self.row.word, sorted(published))
        for reply in kept:
            if reply.key not in published:
                self._count(1, len(reply.body))

    def know_waiting(self, context: Context) -> None:
        """Count what an earlier session left in the journal as answered: it is published and not requested again."""
        self.work.know((reply.key, _micros(reply)) for reply in context.log.kept(self.row.word))

    def keep(self, context: Context, key: str, status: int, body: bytes = b"") -> None:
        """Put a reply on the disk.

        Raises:
            DiskFull, JournalDamaged: It could not be written.
        """
        context.log.keep(self.row.word, key, status, body)
        self._count(1, len(body))

    def publish(self, context: Context) -> tuple[str, UnitResult] | None:
        """Publish all waiting replies as one unit, and return its name and result; None if there are none.

        Raises:
            DiskFull: No space; the replies keep waiting.
        """
        with self._publishing:  # two at once would publish the same replies
            replies = context.log.kept(self.row.word)
            return self._published(context, replies) if replies else None

    def close(self) -> None:
        """Release what was only needed to know what to request."""
        self.work.close()

    def _published(self, context: Context, replies: Sequence[KeptReply]) -> tuple[str, UnitResult]:
        chunk = self._chunk(replies)
        unit = _unit_name(replies)
        source = Origin(unit, f"{self.row.operation} {self.row.path}")
        with context.writer(self.data_set, unit, source, row_filter=StampedRows(_FETCHED, chunk.times)) as writer:
            report = writer.convert(line + b"\n" for line in chunk.lines)
            incomplete = _cut_text(chunk.cut, self.row)
            about = {
                "operation": self.row.operation,
                "asked": len(replies),
                "gone": chunk.gone,
                "empty": chunk.empty,
                "cut": chunk.cut,
            }
            writer.commit(about=about, incomplete=incomplete)
        # Published first, dropped second: a kill in between costs a look at the data set, never a reply.
        self.cut.update(chunk.cut)
        context.log.drop(self.row.word, [reply.key for reply in replies])
        self.work.know((reply.key, _micros(reply)) for reply in replies)
        self._count(-len(replies), -sum(len(reply.body) for reply in replies))
        self.gone += len(chunk.gone)
        updated = min(chunk.updated, report.rows)
        detail = f"{len(chunk.gone):,} of {len(replies):,} no longer exist" if chunk.gone else ""
        created = report.rows - updated
        return unit, UnitResult(
            UnitState.DONE, created=created, updated=updated, rejected=report.rejected, detail=detail
        )

    def _chunk(self, replies: Iterable[KeptReply]) -> _Chunk:
        chunk = _Chunk()
        for reply in replies:
            at = _micros(reply)
            if reply.status == GONE:
                chunk.gone[reply.key] = at
                if not reply.body:
                    continue
            if reply.status == CUT:
                chunk.cut[reply.key] = at
            lines = elements_of(reply.body, is_list=self.row.is_list)
            if not any(line.startswith(b"{") for line in lines):
                chunk.empty[reply.key] = at
            chunk.lines.extend(spliced(line, self._members(reply.key)) for line in lines)
            chunk.times.extend([at] * len(lines))
            chunk.updated += len(lines) if self._was_known(reply) else 0
        return chunk

    def _members(self, key: str) -> Mapping[str, str]:
        return {_ASKED: key} if _ASKED in self.data_set.schema.names else {}

    def _count(self, replies: int, size: int) -> None:
        with self._counting:
            self._waiting += replies
            self._waiting_bytes += size

    def _was_known(self, reply: KeptReply) -> bool:
        known = self.work.known_at(reply.key)
        return known is not None and known < _micros(reply)


@dataclass(slots=True)
class PublishStep:
    """The step that publishes waiting replies. Its name becomes that of its unit."""

    buffer: ReplyBuffer
    name: str = PUBLISHING
    is_done: bool = False

    @property
    def data_set(self) -> str:
        """The data set of the replies."""
        return self.buffer.data_set.name

    async def run(self, context: Context) -> UnitResult | None:
        """Publish; None if no reply waits."""
        published: tuple[str, UnitResult] | None = await context.in_thread(self.buffer.publish, context)
        self.is_done = True
        if published is None:
            return None
        self.name, result = published
        return result


class KeptReplies:
    """Replies that an earlier session of the run kept, for export words that this session does not name.

    A dump can continue with other words. What was requested before is paid for, so it is published first.
    """

    name = "kept answers"
    workers = 1

    def __init__(self, words: Collection[str]) -> None:
        """`words` are those of this session, which publishes itself what is kept of them."""
        self._words = frozenset(words)

    async def add_price(self, context: Context, price: Price) -> None:
        """Add nothing: it requests nothing."""

    async def units(self, context: Context) -> AsyncIterator[ExportUnit | None]:
        """Yield a step for each other word that has replies waiting. No request is sent."""
        for word in await context.in_thread(context.log.words_waiting):
            if word in self._words:
                continue
            buffer = ReplyBuffer(live_export(word))
            try:
                await context.in_thread(buffer.begin, context)
                yield PublishStep(buffer)
                yield None
            finally:
                buffer.close()


async def in_chunks(
    context: Context,
    buffer: ReplyBuffer,
    add_parents: Callable[[], None],
    make: Callable[[ToAsk], ExportUnit],
) -> AsyncIterator[ExportUnit | None]:
    """Yield a unit for each key that is still to be requested, and between them the steps that publish the replies.

    What an earlier session left in the journal is published first, and not requested again.
    """
    await context.in_thread(buffer.begin, context)
    if buffer.is_waiting:
        yield PublishStep(buffer)
        yield None
    await context.in_thread(add_parents)
    floor = floor_of(context)
    await _tell_price(context, buffer, floor)
    last: PublishStep | None = None
    batches = buffer.work.to_ask(floor=floor)
    while batch := await context.in_thread(next, batches, None):
        for one in batch:
            yield make(one)
            # One step at a time: a second one would find nothing to publish while the first is running.
            if buffer.is_full(context.bounds) and (last is None or last.is_done):
                last = PublishStep(buffer)
                yield last
    yield None
    yield PublishStep(buffer)
    yield None
    if buffer.gone:
        context.note(f"{buffer.row.word}: Gladly does not have {buffer.gone:,} of those requested")


def floor_of(context: Context) -> int:
    """Return the time before which an answer does not count, in microseconds since 1970."""
    return micros_of(context.begun_at or context.now) if context.options.refresh else 0


async def _tell_price(context: Context, buffer: ReplyBuffer, floor: int) -> None:
    """Tell how long the requests take, unless that was told before the export began and is still so."""
    word, count = buffer.row.word, await context.in_thread(buffer.work.count_to_ask, floor=floor)
    if count > _FEW and count != context.priced.get(word):
        effort = Estimate(count, True, count, count, context.options.pace.expected_per_second()).effort()
        context.observer.note(f"{word}: {effort}")


def _key_columns(row: LiveExport) -> Sequence[tuple[str, ...]]:
    """Return the columns of a row that say for which key it came; several are alternatives."""
    data_set = DATA_SETS[row.data_set]
    if row.files is not None:
        return (data_set.key,)
    # A conversation that came with its customer's list, say, is known by its own id too.
    has_id = not row.is_list and "id" in data_set.schema.names
    return ((_ASKED,), ("id",)) if has_id else ((_ASKED,),)


def _unit_name(replies: Sequence[KeptReply]) -> str:
    """Return a name with the time of the first reply, which is unique for these replies."""
    first = min(_micros(reply) for reply in replies)
    digest = hashlib.blake2b(digest_size=6)
    for reply in replies:
        digest.update(f"{reply.key}\0{_micros(reply)}\0".encode("utf-8", "surrogatepass"))
    moment = dt.datetime.fromtimestamp(first // 1_000_000, dt.UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{digest.hexdigest()}"


def _cut_text(cut: Mapping[str, int], row: LiveExport) -> str | None:
    if not cut:
        return None
    more = f" and {len(cut) - _TOLD:,} more" if len(cut) > _TOLD else ""
    return f"cut at {row.cap:,} rows, or possibly cut: those of {', '.join(list(cut)[:_TOLD])}{more}"


def _times_in(value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        yield from ((key, at) for key, at in value.items() if isinstance(at, int))


def _micros(reply: KeptReply) -> int:
    return round(reply.at * 1_000_000)
