"""The budget of one organisation on this machine, as a run uses it: who is there, what is reserved, what was told."""

import asyncio
import contextlib
import math
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from bulkgladly.budget.budget_files import boot_id, budget_path
from bulkgladly.budget.presence import Presence, forget_unused
from bulkgladly.budget.reservations import ForeignFile, News, Reservations, is_damaged
from bulkgladly.messages import PaceNews
from bulkgladly.storage.failures import is_locked

__all__ = ("BudgetLine", "MachineBudget")

Standing = Literal["alone", "company", "away", "unknown"]

TRUSTED_S = 0.6
"""For how long a look at who is there counts. A newcomer waits that long, so that all others have seen it."""
_LOOK_AFTER_S = 0.35
_MARGIN_S = 0.05
_QUIET_S = 2.0
"""How long nobody else must have been there before the pace is that of a process that is alone."""
_AGAIN_S = 1.0
_LEAST_WAIT_S = 0.001
_PATIENCE_S = 0.25
_PATIENCES = 4

T = TypeVar("T")


class MachineBudget:
    """The budget of one organisation, which all processes of this user on this machine share.

    It has a `line` for each class of requests. A process that is alone reserves nothing. All that touches the disk
    runs in one thread, which is asked from the loop; a file that cannot be used raises nothing there, but makes the
    standing `away`. It comes back by itself. Chapters: from the loop, and in the thread.
    """

    def __init__(
        self,
        host: str,
        *,
        path: Path | None = None,
        boot: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Use the budget of the organisation whose base URL is `host`; nothing is opened before `open`.

        `path` is the SQLite file, by default in the cache of the user.
        """
        self._host, self._path, self._boot = host, path, boot
        self.clock, self._sleep = clock, sleep
        self._users = 0
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.owner = secrets.token_hex(8)
        self._lines: dict[str, BudgetLine] = {}
        self._presence: Presence | None = None
        self._file: Reservations | None = None
        self._looked_at = -math.inf
        self._joined_at = -math.inf
        self._others_at = -math.inf
        self._others: frozenset[int] = frozenset()
        self._away_since: float | None = None
        self._failed_at: float | None = None
        self._is_looking = False
        self._was_read = False
        self._hangs = False
        self.trouble: str | None = None
        """Why the budget could not be shared for a second or longer, for people: the first reason, which stays."""

    def line(self, name: str) -> "BudgetLine":
        """Return the line of a class of requests: the same object for the same name."""
        return self._lines.setdefault(name, BudgetLine(self, name))

    # --- from the loop ---

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed."""
        return self._users > 0

    def open(self) -> None:
        """Join those who use the budget, in the background. Each call needs a `close`."""
        self._users += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="budget", daemon=True)
            self._thread.start()
            self.look_soon()

    def close(self) -> None:
        """Leave; after the last one the thread ends, and the file is closed."""
        self._users -= 1
        if self._users or self._thread is None:
            return
        thread, self._thread = self._thread, None
        self._jobs.put(self._leave)
        self._jobs.put(None)
        # A disk that hangs must not keep the run from ending: the system gives the seat back as well.
        thread.join(_PATIENCE_S * _PATIENCES)

    def standing(self) -> Standing:
        """Return whether others use the budget now; `unknown` if the last look is too old to say."""
        now = self.clock()
        if now - self._looked_at > TRUSTED_S:
            return "unknown"
        if self._away_since is not None or self._hangs:
            return "away"
        if now - self._others_at > _QUIET_S:
            return "alone"
        # The others may send at a pace of their own until they have seen this process.
        return "company" if now >= self._joined_at + TRUSTED_S + _MARGIN_S else "unknown"

    def look_soon(self) -> None:
        """Look again who is there, in the background, if the last look was a while ago."""
        if self._thread is not None and not self._is_looking and self.clock() - self._looked_at > _LOOK_AFTER_S:
            self._is_looking = True
            self._jobs.put(self._look)

    async def look(self) -> None:
        """Look who is there and what was told; then the standing is known."""
        if not await self._ask(self._look_well):
            # The thread hangs: nothing is known, so the run goes on by itself.
            self._be_away("the disk does not respond")
            self._looked_at = self.clock()
        if self.standing() == "unknown":
            await self._sleep(max(0.0, self._joined_at + TRUSTED_S + _MARGIN_S - self.clock()))

    async def ask(self, what: Callable[[Reservations, Presence], T]) -> T | None:
        """Return what a function of the file returns; None if the file cannot be used.

        Cancelled: it is done all the same.
        """
        return await self._ask(partial(self._tried, what))

    def post(self, what: Callable[[Reservations, Presence], object]) -> None:
        """Let a function use the file, in its turn; nobody waits for it."""
        self._jobs.put(partial(self._tried, what))

    async def _ask(self, job: Callable[[], T]) -> T | None:
        if self._thread is None or self._hangs:
            return None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            found = job()
            self._hangs = False
            # The loop may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: None if answer.done() else answer.set_result(found))

        self._jobs.put(run)
        # In short steps: a process that was stopped has not waited, although the time has passed.
        for _ in range(_PATIENCES):
            await asyncio.wait([answer], timeout=_PATIENCE_S)
            if answer.done():
                return answer.result()
        self._hangs = True
        answer.cancel()
        return None

    # --- in the thread ---

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _look_well(self) -> bool:
        self._look()
        return True

    def _look(self) -> None:
        now = self.clock()
        try:
            presence = self._seated()
            self._others = presence.others()
            if self._others:
                self._others_at = now
            if self._others_at + _QUIET_S >= now or not self._was_read:
                self._read(now)
        except OSError as error:
            self._be_away(self._reason(error))
        else:
            if now - self._others_at > _QUIET_S:
                # Whoever is alone needs no file.
                self._away_since = self._failed_at = None
        finally:
            self._looked_at = now
            self._is_looking = False

    def _seated(self) -> Presence:
        path = self._path = self._path or budget_path(self._host)
        if self._presence is None:
            self._presence = Presence(path.with_suffix(".seats"))
            self._file = Reservations(path, self._boot or boot_id(), clock=self.clock)
        if self._presence.join():
            self._joined_at = self.clock()
        return self._presence

    def _read(self, now: float) -> None:
        """Read what others told, once a second after trouble, and then only if writing works as well."""
        if self._away_since is not None and now - self._away_since < _AGAIN_S:
            return
        was_away = self._away_since is not None

        def read(file: Reservations, _: Presence) -> bool:
            if was_away:
                file.try_to_write()
            for name, line in self._lines.items():
                line.latest = file.news(name)
            return True

        self._was_read = True
        if self._tried(read):
            self._away_since = self._failed_at = None

    def _tried(self, what: Callable[[Reservations, Presence], T]) -> T | None:
        file, presence = self._file, self._presence
        if file is None or presence is None or presence.seat < 0:
            return None
        try:
            return what(file, presence)
        except (sqlite3.Error, OSError, ForeignFile, ValueError) as error:
            with contextlib.suppress(sqlite3.Error, OSError, ForeignFile, ValueError):
                if is_damaged(error):
                    file.renew()
                    return what(file, presence)
                file.close()
            if self.clock() - self._others_at <= _QUIET_S:
                self._be_away(self._reason(error))
        return None

    def _be_away(self, reason: str) -> None:
        now = self._away_since = self.clock()
        self._failed_at = now if self._failed_at is None else self._failed_at
        if self.trouble is not None or now - self._failed_at < _AGAIN_S:
            # What is over within a second, such as a lock at the start of several processes, is no news for people.
            return
        self.trouble = (
            f"this run cannot share the pace with other runs on this machine: {reason}. It uses a quarter of the limit "
            "until that works; make the folder writable, or set XDG_CACHE_HOME to one that is"
        )

    def _reason(self, error: Exception) -> str:
        what = self._path or "~/.cache"
        if isinstance(error, OSError):
            return f"{error.filename or what}: {error.strerror or error}"
        return f"{what}: {'another process has locked it' if is_locked(error) else error}"

    def _leave(self) -> None:
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                forget_unused(self._file.path.parent)
        if self._presence is not None:
            self._presence.leave()
            self._presence = None
        self._looked_at = -math.inf


class BudgetLine:
    """One class of requests of a budget."""

    def __init__(self, budget: MachineBudget, name: str) -> None:
        self.budget, self._name = budget, name
        self.latest = News()
        """What was told last, as of the last look."""

    def open(self) -> None:
        """Join those who use the budget. Each call needs a `close`."""
        self.budget.open()

    def close(self) -> None:
        """Leave."""
        self.budget.close()

    def standing(self) -> Standing:
        """Return whether others use the budget now: alone, company, away (that cannot be found out) or unknown."""
        self.budget.look_soon()
        return self.budget.standing()

    async def look(self) -> None:
        """Find out who is there and what was told; then the standing is known."""
        await self.budget.look()

    def news(self) -> PaceNews:
        """Return what was told last, as of the last look."""
        told, now = self.latest, self.budget.clock()
        return PaceNews(
            told.number, max(0.0, told.paused_until - now), told.limit, told.ease, max(0.0, now - told.eased_at)
        )

    def tell(self, *, paused_for_s: float, limit: int | None, ease: float) -> None:
        """Tell all others of a pause, of the server's limit, and of the eased pace; nobody waits for it."""
        self.budget.post(lambda file, _: file.tell(self._name, paused_for_s=paused_for_s, limit=limit, ease=ease))

    async def reserve(self, gap_s: float, n: int = 1) -> float | None:
        """Reserve the next `n` moments of the line, `gap_s` apart; return in how many seconds the first is.

        None if the budget cannot be used. Cancelled: the moments may be lost.
        """
        at = await self.budget.ask(lambda file, _: file.reserve(self._name, gap_s, n))
        return None if at is None else max(0.0, at - self.budget.clock())

    async def enter(self, gap_s: float, places: int) -> float | None:
        """Take one of the places of the line if its next moment has come. Each needs a `leave`.

        Returns 0.0 if it was taken, else in how many seconds to ask again; None if the budget cannot be used.
        Cancelled: none is taken.
        """
        owner, taken = self.budget.owner, False

        def take(file: Reservations, presence: Presence) -> tuple[bool, float]:
            nonlocal taken
            held = presence.others() | {presence.seat}
            found = file.enter(self._name, gap_s, places=places, seat=presence.seat, owner=owner, held=held)
            taken = found[0]
            return found

        found = None
        try:
            found = await self.budget.ask(take)
        finally:
            if found is None:
                # It may still be taken, or just have been.
                self.budget.post(lambda file, _: file.leave(self._name, owner=owner, number=int(taken)))
        if found is None:
            return None
        is_taken, at = found
        return 0.0 if is_taken else max(_LEAST_WAIT_S, at - self.budget.clock())

    def leave(self) -> None:
        """Give one place back."""
        self.budget.post(lambda file, _: file.leave(self._name, owner=self.budget.owner))
