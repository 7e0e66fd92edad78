"""The lock of a prefix: one holder, an abandoned one is replaced, and a frozen one learns that it was."""

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from obstore.store import MemoryStore

from bulkgladly.documents import as_json
from bulkgladly.errors import DataSetInUse
from bulkgladly.stores.addresses import StoreAddress
from bulkgladly.stores.bucket import Bucket
from bulkgladly.stores.lease import ABANDONED_S, LOCK_KEY, Holder, Lease, this_holder
from bulkgladly.stores.store import Entry


class Timed(Bucket):
    """A store in memory with a clock of its own, which nobody else looks at."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), StoreAddress("s3", "lake", "gladly"))
        self.now = 5_000.0
        self.written: dict[tuple[str, str | None], float] = {}

    def head(self, key: str) -> Entry | None:
        found = super().head(key)
        return found and found._replace(modified_s=self.written.setdefault((key, found.tag.e_tag), self.now))


class Clock:
    """A clock that waiting moves, and with it the clock of the store."""

    def __init__(self, store: Timed) -> None:
        self.now, self.store = 100.0, store
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.store.now += seconds


def lease(store: Timed, clock: Clock) -> Lease:
    return Lease(store, clock=clock, wait=clock.wait)


def locked_by(store: Timed, holder: Holder) -> None:
    told = {name: getattr(holder, name) for name in ("machine", "boot", "process", "began", "nonce")}
    store.put(LOCK_KEY, as_json({"format": 1, **told}))
    store.head(LOCK_KEY)


@pytest.fixture
def store() -> Timed:
    return Timed()


@pytest.fixture
def clock(store: Timed) -> Clock:
    return Clock(store)


def test_a_lock_is_taken_and_given_back(store: Timed, clock: Clock) -> None:
    """By one request each."""
    with lease(store, clock).take() as held:
        held.hold()
        assert store.read(LOCK_KEY) is not None

    assert store.read(LOCK_KEY) is None
    assert store.requests == 4


def test_a_lock_of_a_dead_process_of_this_machine_is_taken_at_once(store: Timed, clock: Clock) -> None:
    """Also if its number was given to another process since, and after a restart of the machine."""
    here = this_holder()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for gone in (
        replace(here, process=ended.pid),
        replace(here, process=os.getppid(), began="1"),
        replace(here, boot="before"),
    ):
        locked_by(store, gone)
        with lease(store, clock).take():
            pass
    assert clock.waits == []


def test_a_lock_of_this_process_itself_is_held(store: Timed, clock: Clock) -> None:
    """Its process lives, so it counts as any other that may be renewed."""
    locked_by(store, this_holder())

    with lease(store, clock).take():
        assert sum(clock.waits) == ABANDONED_S


def test_a_lock_of_another_machine_is_taken_when_nobody_renews_it(store: Timed, clock: Clock) -> None:
    """After ninety seconds by the clock of the store, part of which may have passed before."""
    locked_by(store, replace(this_holder(), machine="elsewhere/1/2"))
    store.now += 60

    with lease(store, clock).take():
        assert sum(clock.waits) == ABANDONED_S - 60


def test_a_lock_that_was_left_long_ago_costs_no_wait(store: Timed, clock: Clock) -> None:
    """A container that was killed last night leaves one."""
    locked_by(store, replace(this_holder(), machine="elsewhere/1/2"))
    store.now += 80_000

    with lease(store, clock).take():
        assert clock.waits == []


@pytest.mark.parametrize("content", [b"", b"not JSON", b'{"format":99}', b'{"format":1}', b"[]"])
def test_a_lock_that_cannot_be_read_is_another_machines(store: Timed, clock: Clock, content: bytes) -> None:
    """It is waited for, and replaced when nobody renews it."""
    store.put(LOCK_KEY, content)
    store.head(LOCK_KEY)

    with lease(store, clock).take():
        assert sum(clock.waits) == ABANDONED_S


def test_a_lock_that_is_renewed_keeps_others_out(store: Timed, clock: Clock) -> None:
    """As soon as it is seen to be."""
    other = replace(this_holder(), machine="elsewhere/1/2", process=7)
    locked_by(store, other)
    nonces = itertools.count()

    def wait(seconds: float) -> None:
        clock.wait(seconds)
        locked_by(store, replace(other, nonce=str(next(nonces))))

    with pytest.raises(DataSetInUse, match="in use by process 7 on elsewhere"):
        Lease(store, clock=clock, wait=wait).take()
    assert len(clock.waits) == 1


def test_a_holder_that_was_frozen_learns_that_its_lock_was_taken(store: Timed, clock: Clock) -> None:
    """Before it writes anything; and it leaves the lock of the other alone."""
    frozen = lease(store, clock).take()
    locked_by(store, replace(this_holder(), machine="elsewhere/1/2"))
    clock.now += 120

    with pytest.raises(DataSetInUse, match="taken over"):
        frozen.hold()
    frozen.release()
    assert store.read(LOCK_KEY) is not None


def test_a_holder_that_was_frozen_goes_on_if_nobody_came(store: Timed, clock: Clock) -> None:
    """It renews its lock first."""
    with lease(store, clock).take() as held:
        before = store.read(LOCK_KEY)
        clock.now += 120
        held.hold()
        assert store.read(LOCK_KEY) != before
