"""A data set in a bucket: what differs is sent, whole units appear, and any interruption is made good."""

import datetime as dt
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from obstore.store import MemoryStore

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.compact import compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify
from bulkgladly.mirrors.contents import document_in, is_document
from bulkgladly.mirrors.pull import pull
from bulkgladly.mirrors.push import push
from bulkgladly.stores.addresses import StoreAddress
from bulkgladly.stores.bucket import Bucket
from bulkgladly.stores.lease import LOCK_KEY
from bulkgladly.stores.store import Tag

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
CUSTOMERS = DATA_SETS["customers"]


def memory() -> Bucket:
    return Bucket(MemoryStore(), StoreAddress("s3", "lake", "gladly"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder with two units, one with a rejected line, and a media file."""
    with DataFolder.open(tmp_path / "lake", host="h", create=True, now=lambda: NOON).lock() as made:
        publish(made, "monday", "a", "b")
        publish(made, "tuesday", "c", broken=True)
        media = made.path / "media" / "voicemail" / "00" / "0-a.wav"
        media.parent.mkdir(parents=True)
        media.write_bytes(b"RIFF")
        os.utime(media, (0, 0))
        yield made


def publish(
    folder: DataFolder, unit: str, *keys: str, broken: bool = False, replaces: Iterable[str] | None = None
) -> None:
    writer = UnitWriter(folder, CUSTOMERS, unit, Origin(unit, "customers.jsonl", {"_job_updated_at": NOON}))
    lines = [orjson.dumps({"id": key, "name": unit}) + b"\n" for key in keys]
    writer.convert([*lines, b"{\n"] if broken else lines)
    olds = (folder.manifest("customers", one) for one in ([unit] if replaces is None else replaces))
    writer.commit(replaces=[old for old in olds if old is not None])


def held(store: Bucket) -> dict[str, bytes]:
    return {one.key: content[0] for one in store.list() if (content := store.read(one.key))}


def held_by(top: Path) -> dict[str, bytes]:
    found = {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "_lock"}


def test_a_push_makes_the_prefix_what_the_folder_is(folder: DataFolder) -> None:
    """Byte for byte, media and rejects included, and nothing besides."""
    store = memory()

    done = push(folder, store)

    assert held(store) == held_by(folder.path)
    assert (done.units, done.files, done.gone, done.removed) == (2, 4, 0, 0)


def test_a_push_without_news_costs_four_requests(folder: DataFolder) -> None:
    """The marker, the lock, its end, and one list."""
    store = memory()
    push(folder, store)
    before = store.requests

    done = push(folder, store)

    assert (done.units, done.files) == (0, 0)
    asked = store.requests - before
    # A store in memory has no MD5 for an ETag, so each document is read.
    assert asked - sum(is_document(key) for key in held(store)) == 4


def test_what_is_replaced_and_removed_goes_there_too(folder: DataFolder) -> None:
    """Also where one unit takes the place of several."""
    store = memory()
    push(folder, store)
    publish(folder, "week", "a", "b", "c", replaces=["monday", "tuesday"])
    compact(folder, "customers")

    done = push(folder, store)

    assert held(store) == held_by(folder.path)
    assert (done.units, done.gone) == (2, 2)
    compact(folder, "customers")
    assert push(folder, store).units == 1
    assert held(store) == held_by(folder.path)


def test_a_pull_brings_back_the_same(folder: DataFolder, tmp_path: Path) -> None:
    """Byte for byte, and again what was replaced since."""
    store = memory()
    compact(folder, "customers")
    push(folder, store)

    pull(store, tmp_path / "back")
    assert held_by(tmp_path / "back") == held_by(folder.path)
    assert verify(DataFolder.open(tmp_path / "back"), deep=True).is_sound

    publish(folder, "week", "a", "b", "c", replaces=["monday", "tuesday"])
    compact(folder, "customers")
    push(folder, store)
    done = pull(store, tmp_path / "back")

    assert held_by(tmp_path / "back") == held_by(folder.path)
    assert (done.units, done.gone) == (2, 2)
    assert pull(store, tmp_path / "back").units == 0


class Killed(BaseException):
    """The process is gone: nothing catches it, and nothing is cleaned up after it."""


class Mortal(Bucket):
    """A store whose user dies at a request: before it leaves, or before its reply comes."""

    def __init__(self, inner: Any, left: int, *, is_late: bool) -> None:
        super().__init__(inner, StoreAddress("s3", "lake", "gladly"))
        self._left, self._is_late = left, is_late

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed

    def _put(self, key: str, content: bytes | Path, mode: Any) -> Tag:
        if not self._is_late:
            self._step()
        done = super()._put(key, content, mode)
        if self._is_late:
            self._step()
        return done

    def delete(self, keys: Iterable[str]) -> None:
        some = list(keys)
        if self._left >= 0:  # the dead give no lock back
            self._step()
            super().delete(some[: len(some) // 2 + 1] if self._is_late and self._left == 0 else some)


def whole_units(store: Bucket) -> Mapping[str, set[str]]:
    """The units that a reader by manifests finds; each has all its files, whole."""
    there = held(store)
    units = {}
    for key, content in there.items():
        if is_document(key):
            document = document_in(key, content, store.name)
            for file in document.files:
                assert len(there[file.path]) == file.bytes, f"{key} without {file.path}"
            units[key] = {file.path for file in document.files}
    return units


@pytest.mark.parametrize("is_late", [False, True], ids=["before the request", "before the reply"])
def test_a_push_may_die_anywhere(folder: DataFolder, is_late: bool) -> None:
    """Readers by manifest see whole units, and never one beside what it replaces; the next push completes it."""
    start = MemoryStore()
    push(folder, Bucket(start, StoreAddress("s3", "lake", "gladly")))
    before = held(Bucket(start, StoreAddress("s3", "lake", "gladly")))
    publish(folder, "week", "a", "b", "c", replaces=["monday", "tuesday"])
    publish(folder, "new", "d")
    after = held_by(folder.path)
    for left in range(100):
        inner = MemoryStore()
        for key, content in before.items():
            inner.put(key, content)
        dying = Mortal(inner, left, is_late=is_late)
        try:
            push(folder, dying)
        except Killed:
            store = Bucket(inner, StoreAddress("s3", "lake", "gladly"))
            units = whole_units(store)
            names = {key.rpartition("/")[2] for key in units}
            assert not ("week.json" in names and {"monday.json", "tuesday.json"} & names)
            store.delete([LOCK_KEY])  # as whoever comes after a dead process does
            push(folder, store)
            assert held(store) == after
        else:
            assert held(Bucket(inner, StoreAddress("s3", "lake", "gladly"))) == after
            return
    pytest.fail("it takes more than a hundred requests")


def test_a_prefix_of_something_else_is_left_alone(folder: DataFolder, tmp_path: Path) -> None:
    """Other files, another data set, a newer state of this one."""
    store = memory()
    store.put("notes.txt", b"mine")
    with pytest.raises(UsageError, match=r"holds 'notes\.txt' and is not a bulkgladly data set"):
        push(folder, store)
    with pytest.raises(UsageError, match="is not a bulkgladly data set"):
        pull(store, tmp_path / "back")
    assert held(store) == {"notes.txt": b"mine"}

    store = memory()
    push(folder, store)
    with (
        DataFolder.open(tmp_path / "other", host="h", create=True) as other,
        pytest.raises(UsageError, match="holds another data set than"),
    ):
        push(other, store)
    with pytest.raises(UsageError, match="holds another data set than"):
        pull(store, tmp_path / "other")


class Late(Bucket):
    """A store below whose prefix another data set is pushed just before this one gets the lock."""

    def __init__(self, other: DataFolder) -> None:
        super().__init__(MemoryStore(), StoreAddress("s3", "lake", "gladly"))
        self._other: DataFolder | None = other

    def put_new(self, key: str, content: bytes) -> Tag | None:
        other, self._other = self._other, None
        if other is not None:
            push(other, self)
        return super().put_new(key, content)


def test_of_two_first_pushes_the_second_sees_the_first(folder: DataFolder, tmp_path: Path) -> None:
    """Also if the prefix was empty when it began."""
    with DataFolder.open(tmp_path / "other", host="h", create=True) as other:
        store = Late(other)
        with pytest.raises(UsageError, match="holds another data set than"):
            push(folder, store)

        assert held(store) == held_by(other.path)


def test_two_copies_do_not_overwrite_one_another(folder: DataFolder, tmp_path: Path) -> None:
    """Whichever was pushed first stays; the other is told to pull."""
    store = memory()
    shutil.copytree(folder.path, tmp_path / "copy")
    publish(folder, "wednesday", "d")
    push(folder, store)
    copy = DataFolder.open(tmp_path / "copy")

    with pytest.raises(UsageError, match="newer than all in"):
        push(copy, store)

    pull(store, copy.path)
    with copy.lock():
        publish(copy, "thursday", "e")
    with pytest.raises(UsageError, match="push it first"):
        pull(store, copy.path)
    assert push(copy, store).units == 1


def test_a_file_that_is_not_what_its_manifest_says_is_not_published(folder: DataFolder, tmp_path: Path) -> None:
    """Neither sent nor fetched."""
    store = memory()
    push(folder, store)
    part = next(key for key in held(store) if key.endswith(".parquet"))
    whole = held(store)[part]
    store.put(part, whole[:-1] + b"!")
    with pytest.raises(InputError, match="is not what"):
        pull(store, tmp_path / "back")
    assert verify(DataFolder.open(tmp_path / "back")).data_sets == ()

    store.delete([part])
    with pytest.raises(InputError, match="is missing, though a manifest names it"):
        pull(store, tmp_path / "back")

    (folder.path / part).write_bytes(b"short")
    with pytest.raises(InputError, match="5 bytes, and its manifest says"):
        push(folder, store)


class Ignoring(Bucket):
    """A store that takes a conditional write and ignores its condition, as some do."""

    def _put(self, key: str, content: bytes | Path, mode: Any) -> Tag:
        del mode
        return super()._put(key, content, "overwrite")


def test_a_store_that_ignores_conditions_gets_nothing(folder: DataFolder) -> None:
    """And keeps nothing of the proof."""
    store = Ignoring(MemoryStore(), StoreAddress("s3", "lake", "gladly"))

    with pytest.raises(UsageError, match="overwrote an object that was to be created only if absent"):
        push(folder, store)

    assert held(store) == {}
