"""The lock of a prefix that machines share: an object that its holder renews, and loses when it no longer does.

The lock names machine, boot and process. A process of this machine that has ended is replaced at once. Another
machine's lock counts as abandoned when it was not renewed for 90 seconds by the clock of the store; no clock of
any machine is compared with another's. A holder that was frozen, and whose lock was taken meanwhile, learns it
from `hold`, and its writes are refused: each decision is a conditional write.
"""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bulkgladly.documents import as_json, members_of
from bulkgladly.errors import BulkgladlyError, DataSetInUse
from bulkgladly.stores.store import Store, Tag

__all__ = ("ABANDONED_S", "LOCK_KEY", "RENEW_S", "Holder", "Lease", "this_holder")

LOCK_KEY = "_bulkgladly.lock.json"
RENEW_S = 20.0
ABANDONED_S = 90.0
_SURE_S = 45.0
"""A holder relies on its lock for so long after it last renewed it: others wait twice as long."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: of which machine, since which start of that machine, and one of its own."""

    machine: str
    boot: str
    process: int
    began: str
    nonce: str

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this machine that has ended."""
        here = this_holder()
        if self.machine != here.machine:
            return False
        return self.boot != here.boot or _began(self.process) != self.began


def this_holder() -> Holder:
    """Return this process as the holder of a lock."""
    return Holder(_machine(), _boot(), os.getpid(), _began(os.getpid()), secrets.token_hex(8))


def _machine() -> str:
    """Return what tells in whose numbers processes are counted.

    Containers share names, the ids of their image and the boot of their host, but not their count of processes.
    Where a machine has no id of its own, its present start stands for it.
    """
    found = space = ""
    with contextlib.suppress(OSError):
        found = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return "/".join((os.uname().nodename, found or _boot(), space))


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _began(process: int) -> str:
    """Return when a process began, in the kernel's own unit; numbers of processes are used again."""
    with contextlib.suppress(OSError, IndexError):
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return told.rsplit(")", 1)[1].split()[19]
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "?"


class Lease:
    """The lock on a prefix. One thread renews it until `release`."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float] | None = None,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """`clock` counts on while the machine sleeps; `wait` waits so many seconds before looking again."""
        self._store = store
        self._clock = clock or _steady
        self._wait = wait or time.sleep
        self._holder = this_holder()
        self._tag: Tag | None = None
        self._renewed_s = 0.0
        self._turn = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    # --- taking and giving back ---

    def take(self) -> Self:
        """Take the lock, after waiting for the end of an abandoned one.

        Raises:
            DataSetInUse: Another process holds it and renews it.
        """
        at = self._clock()
        self._tag = self._store.put_new(LOCK_KEY, self._content())
        while self._tag is None:
            at = self._clock()
            self._tag = self._replace_abandoned()
        self._renewed_s = at
        self._thread = threading.Thread(target=self._renewing, name="lease", daemon=True)
        self._thread.start()
        return self

    def _content(self) -> bytes:
        one = self._holder
        told = {name: getattr(one, name) for name in ("machine", "boot", "process", "began", "nonce")}
        return as_json({"format": _FORMAT, **told})

    def _replace_abandoned(self) -> Tag | None:
        """Take the lock of a holder that is gone; return None to look again, which follows a change of the lock."""
        found = self._store.read(LOCK_KEY)
        if found is None:
            return self._store.put_new(LOCK_KEY, self._content())
        content, tag = found
        holder = _holder_in(content)
        if holder is None or not holder.is_gone:
            self._wait_until_abandoned(holder, tag)
        return self._store.put_over(LOCK_KEY, self._content(), tag)

    def _wait_until_abandoned(self, holder: Holder | None, tag: Tag) -> None:
        """Return once the lock with this tag is 90 s old.

        Raises:
            DataSetInUse: It was renewed meanwhile.
        """
        until = self._clock() + ABANDONED_S - self._age_of_lock()
        while True:
            left = until - self._clock()
            if left <= 0:
                return
            self._wait(min(left, RENEW_S / 2))
            found = self._store.head(LOCK_KEY)
            if found is None:
                return
            if found.tag != tag:
                who = f"process {holder.process} on {holder.machine.split('/')[0]}" if holder else "another process"
                raise DataSetInUse(f"{self._store.name} is in use by {who}; wait for it to finish, or stop it")

    def _age_of_lock(self) -> float:
        """Return for how long the lock was not renewed, at least 0, by the clock of the store alone."""
        key = f"{LOCK_KEY}.{self._holder.nonce}"
        self._store.put(key, b"")
        now, lock = self._store.head(key), self._store.head(LOCK_KEY)
        self._store.delete([key])
        if now is None or lock is None:
            return 0.0
        return max(0.0, now.modified_s - lock.modified_s)

    def release(self) -> None:
        """Give the lock back, unless it was taken by another. Calling it twice is allowed."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._turn:
            # Stores remove without conditions, so only what nobody else can have taken yet.
            if self._tag is not None and self._clock() - self._renewed_s < _SURE_S:
                self._store.delete([LOCK_KEY])
            self._tag = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.release()
        except BulkgladlyError:
            if error is None:
                raise

    # --- holding ---

    def hold(self) -> None:
        """Return if the lock is held for certain. Call it before each decision.

        Raises:
            DataSetInUse: Another process has taken it, because this one was frozen or cut off for too long.
        """
        if self._clock() - self._renewed_s >= _SURE_S:
            self._renew()
        if self._tag is None:
            raise DataSetInUse(
                f"{self._store.name} was taken over by another process, because this one did not respond for too "
                "long; nothing more is written. Start it again"
            )

    def _renew(self) -> None:
        with self._turn:
            if self._tag is None:
                return
            at = self._clock()
            self._holder = Holder(
                **{name: getattr(self._holder, name) for name in ("machine", "boot", "process", "began")},
                nonce=secrets.token_hex(8),
            )
            self._tag = self._store.put_over(LOCK_KEY, self._content(), self._tag)
            self._renewed_s = at

    def _renewing(self) -> None:
        while not self._ending.wait(RENEW_S):
            # An outage is met by the next `hold`, which must not rely on the lock for longer than it is sure.
            with contextlib.suppress(BulkgladlyError):
                self._renew()
            if self._tag is None:
                return


def _steady() -> float:
    """Return a clock that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _holder_in(content: bytes) -> Holder | None:
    """Return the holder that a lock names; None if it cannot be read, and counts as another machine's."""
    try:
        members = members_of(content, _FORMAT)
        if members is None:
            return None
        found = Holder(
            members.text("machine"),
            members.text("boot"),
            members.count("process"),
            members.text("began"),
            members.text("nonce"),
        )
        members.end()
    except ValueError:
        return None
    return found
