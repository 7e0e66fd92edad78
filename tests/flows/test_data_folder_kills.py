"""A writer that is killed between any two calls to the system leaves the old rows or the new ones."""

import bisect
import datetime as dt
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from bulkgladly.lake.compact import compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.old_units import old_units, remove_old, removed_before
from bulkgladly.lake.published_rows import read_rows
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.verify import verify
from tests.readers import by_duckdb, by_polars
from tests.soaking import few_or_many

ITEMS = DATA_SETS["items"]
OLD = {"a": ["1", "2", "3"], "b": ["4"], "c": ["5"]}
NEW = {"a": ["1", "2", "3", "6"], "c": ["5"]}
KEPT_FROM = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
AGE = dt.timedelta(days=60)
EVERY = few_or_many(3, 1, name="every")
"""A kill before every third call to the system, and before every call with `make soak`."""
CALLS = ("replace", "rename", "unlink", "mkdir", "rmdir")


class Killed(BaseException):
    """The process is gone: nothing catches this, and nothing is done after it."""


class Killer:
    """Lets a number of calls to the system pass, and none afterwards: what would clean up cannot."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self.calls = 0
        for name in CALLS:
            monkeypatch.setattr(os, name, self._guarded(getattr(os, name)))
        # Counted, but not done: a kill loses nothing that was written, and waiting for a disk takes time.
        monkeypatch.setattr(os, "fsync", self._guarded(lambda _handle: None))

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **named: Any) -> Any:
            self.calls += 1
            if self._left is not None:
                if not self._left:
                    raise Killed
                self._left -= 1
            return call(*args, **named)

        return guarded

    def run(self, work: Callable[[], Any], *, calls: int | None = None) -> bool:
        """Do some work; tell whether it came to its end within so many calls."""
        self.calls, self._left = 0, calls
        try:
            work()
        except Killed:
            return False
        finally:
            self._left = None
        return True


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    """A killer that does nothing yet."""
    return Killer(monkeypatch)


def lines_of(ids: list[str], text: str, day: str = "2026-11-23") -> Iterator[bytes]:
    for each in ids:
        content = {"type": "EMAIL" if int(each) % 2 else "SMS", "content": text}
        yield orjson.dumps({"id": each, "timestamp": f"{day}T00:00:00Z", "content": content}) + b"\n"
    yield b"no row\n"


def write(folder: DataFolder, unit: str, ids: list[str], text: str, replaces: list[Any]) -> None:
    writer = UnitWriter(folder, ITEMS, unit, Origin(unit, "conversation_items.jsonl"), keep_raw=True)
    try:
        writer.convert(lines_of(ids, text))
        writer.commit(replaces=replaces)
    except BaseException:
        writer.abandon()
        raise


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three units."""
    path = tmp_path_factory.mktemp("template") / "data"
    with DataFolder.open(path, host="h", create=True).lock() as folder:
        for unit, ids in OLD.items():
            write(folder, unit, ids, "old", [])
        compact(folder, "items")
    return path


def replace_a_and_b(path: Path) -> None:
    """One unit takes the place of two, with other rows; the third is not touched."""
    with DataFolder.open(path).lock() as folder:
        write(folder, "a", NEW["a"], "new", [unit for unit in folder.manifests("items") if unit.unit != "c"])


def recover(path: Path) -> None:
    with DataFolder.open(path).lock() as folder:
        folder.recover()


def rows_in(path: Path) -> dict[str, list[str]]:
    """The rows by unit, as the manifests have them; every part must be there."""
    folder = DataFolder.open(path)
    return {
        unit.unit: sorted(str(value) for value in read_rows(folder, [unit]).column("id").to_pylist())
        for unit in folder.manifests("items")
    }


def seen_by_globs(path: Path) -> list[str]:
    """The rows as a reader finds them who knows no manifests."""
    return sorted(str(value) for value in pq.read_table(path / "items").column("id").to_pylist())


def check(path: Path) -> bool:
    """Make sure that all is old or all is new, and nothing beside it; tell whether it is new."""
    rows = rows_in(path)
    assert rows in (OLD, NEW)
    assert seen_by_globs(path) == sorted(each for ids in rows.values() for each in ids)
    assert verify(DataFolder.open(path), deep=True).findings == ()
    assert not [found for found in path.rglob("*") if found.name.endswith((".partial", ".next"))]
    assert not (path / "_incoming").exists()
    return rows == NEW


def check_readers(path: Path) -> None:
    """Whatever was killed: everybody can open the folder, without a recovery."""
    for read in (by_polars, by_duckdb):
        _, counts = read(path / "items", "id")
        assert {"5"} <= counts.keys() <= {"1", "2", "3", "4", "5", "6"}


def left_in(path: Path) -> list[tuple[str, bytes]]:
    """Every folder and file, and what is in it: two kills that leave the same need to be looked at once."""
    found = ((str(each.relative_to(path)), each) for each in path.rglob("*"))
    return sorted((name, each.read_bytes() if each.is_file() else b"") for name, each in found)


def calls_of(killer: Killer, template: Path, path: Path, work: Callable[[Path], None]) -> int:
    shutil.copytree(template, path)
    assert killer.run(lambda: work(path))
    return killer.calls


@EVERY
def test_a_kill_at_any_call_leaves_old_or_new(killer: Killer, template: Path, tmp_path: Path, every: int) -> None:
    """Until the commit is decided all is old, from then on all is new, once somebody has locked the folder again."""
    total = calls_of(killer, template, tmp_path / "whole", replace_a_and_b)
    assert check(tmp_path / "whole")
    ends = []
    left: list[tuple[str, bytes]] = []
    readable: list[tuple[str, bytes]] = []

    for number in range(0, total, every):
        path = tmp_path / "killed"
        shutil.copytree(template, path)
        assert not killer.run(lambda path=path: replace_a_and_b(path), calls=number)  # type: ignore[misc]
        before, left = left, left_in(path)
        if left != before:
            is_decided = bool(list(path.rglob("*.json.next")))
            if (found := left_in(path / "items")) != readable:
                check_readers(path)
            readable = found
            recover(path)
            ends.append(check(path))
            assert ends[-1] or not is_decided
        shutil.rmtree(path)

    assert ends == sorted(ends)
    assert len(set(ends)) == 2


@EVERY
def test_recovery_may_be_killed_too(killer: Killer, template: Path, tmp_path: Path, every: int) -> None:
    """At any call, after a commit that was killed at its beginning, in its middle or at its end."""
    total = calls_of(killer, template, tmp_path / "whole", replace_a_and_b)
    first = first_decided(killer, template, tmp_path / "probe", total)

    for number in (first, (first + total) // 2, total - 1):
        killed = tmp_path / "killed"
        shutil.copytree(template, killed)
        killer.run(lambda killed=killed: replace_a_and_b(killed), calls=number)  # type: ignore[misc]
        left: list[tuple[str, bytes]] = []
        for second in range(0, calls_of(killer, killed, tmp_path / "recovered", recover), every):
            path = tmp_path / "again"
            shutil.copytree(killed, path)
            assert not killer.run(lambda path=path: recover(path), calls=second)  # type: ignore[misc]
            before, left = left, left_in(path)
            if left != before:
                recover(path)
                assert check(path)
            shutil.rmtree(path)
        shutil.rmtree(killed)
        shutil.rmtree(tmp_path / "recovered")


def first_decided(killer: Killer, template: Path, path: Path, total: int) -> int:
    """The fewest calls after which a commit is decided."""

    def is_decided_at(number: int) -> bool:
        shutil.copytree(template, path)
        killer.run(lambda: replace_a_and_b(path), calls=number)
        found = bool(list(path.rglob("*.json.next")))
        shutil.rmtree(path)
        return found

    return bisect.bisect_left(range(total - 1), True, key=is_decided_at)


def test_a_decided_unit_is_finished_before_it_is_written_again(killer: Killer, template: Path, tmp_path: Path) -> None:
    """In the same process, without a recovery: its files in `_incoming` are not written over."""
    total = calls_of(killer, template, tmp_path / "whole", replace_a_and_b)
    first = first_decided(killer, template, tmp_path / "probe", total)
    path = tmp_path / "killed"
    shutil.copytree(template, path)
    killer.run(lambda: replace_a_and_b(path), calls=first)

    with DataFolder.open(path).lock() as folder:
        again = UnitWriter(folder, ITEMS, "a", Origin("a", "conversation_items.jsonl"))
        again.abandon()

    assert check(path)


def compact_again(path: Path) -> None:
    with DataFolder.open(path).lock() as folder:
        compact(folder, "items")


@EVERY
@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_compaction_is_whole_or_was_never_made(
    killer: Killer, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool, every: int
) -> None:
    """Where the system can exchange two names, a reader never misses the folder, not even before recovery."""
    if not can_exchange:
        monkeypatch.setattr(sys, "platform", "darwin")
    start = tmp_path / "start"
    shutil.copytree(template, start)
    replace_a_and_b(start)
    states = set()

    for number in range(0, calls_of(killer, start, tmp_path / "whole", compact_again), every):
        path = tmp_path / "killed"
        shutil.copytree(start, path)
        assert not killer.run(lambda path=path: compact_again(path), calls=number)  # type: ignore[misc]
        if can_exchange or (path / "current" / "items").exists():
            assert texts_in(path) in ({"old"}, {"old", "new"})
        recover(path)
        states.add(frozenset(texts_in(path)))
        assert not list(path.rglob(".*"))
        shutil.rmtree(path)

    assert states == {frozenset({"old"}), frozenset({"old", "new"})}


def texts_in(path: Path) -> set[str]:
    table = pq.read_table(path / "current" / "items")
    assert table.num_rows in (5, 5)
    return {str(value) for value in table.column("content").to_pylist()}


def remove_the_old(path: Path) -> None:
    """The unit `b` is older than sixty days before the end of `c`; the others cover no time."""
    with DataFolder.open(path).lock() as folder:
        folder.recover()
        for old in old_units(folder, KEPT_FROM, AGE):
            remove_old(folder, old, AGE)


@EVERY
def test_a_removal_that_is_killed_is_finished_by_the_next(
    killer: Killer, template: Path, tmp_path: Path, every: int
) -> None:
    """Nothing else is removed, and what was removed is remembered before it is."""
    start = tmp_path / "start"
    shutil.copytree(template, start)
    with DataFolder.open(start).lock() as folder:
        for unit, end in (("b", KEPT_FROM), ("c", KEPT_FROM + AGE)):
            (old,) = [one for one in folder.manifests("items") if one.unit == unit]
            writer = UnitWriter(folder, ITEMS, unit, Origin(unit, "conversation_items.jsonl"))
            writer.convert(lines_of(OLD[unit], "old", (end - AGE).date().isoformat()))
            writer.commit(covered=(end - AGE, end), replaces=[old])
    rest = {name: ids for name, ids in OLD.items() if name != "b"}

    for number in range(0, calls_of(killer, start, tmp_path / "whole", remove_the_old), every):
        path = tmp_path / "killed"
        shutil.copytree(start, path)
        assert not killer.run(lambda path=path: remove_the_old(path), calls=number)  # type: ignore[misc]
        folder = DataFolder.open(path)
        assert rows_in(path) in (OLD, rest)
        assert rows_in(path) == OLD or removed_before(folder, "items") == KEPT_FROM
        remove_the_old(path)
        assert rows_in(path) == rest
        assert verify(folder).findings == ()
        assert sorted(str(value) for value in pq.read_table(path / "current" / "items").column("id").to_pylist()) == [
            each for ids in rest.values() for each in ids
        ]
        shutil.rmtree(path)


def test_what_gets_its_name_is_on_the_disk(monkeypatch: pytest.MonkeyPatch, template: Path, tmp_path: Path) -> None:
    """Against the loss of power: a file is synced before it is renamed, the decision before anything is removed."""
    path = tmp_path / "data"
    shutil.copytree(template, path)
    synced: set[int] = set()
    unsynced_folders: set[int] = set()
    seen: list[str] = []
    fsync, replace, unlink, mkdir = os.fsync, os.replace, os.unlink, os.mkdir

    def tell_mkdir(name: Any, *args: Any, **named: Any) -> None:
        mkdir(name, *args, **named)
        unsynced_folders.add(Path(name).parent.stat().st_ino)

    def tell_sync(handle: int) -> None:
        fsync(handle)
        synced.add(os.fstat(handle).st_ino)
        unsynced_folders.discard(os.fstat(handle).st_ino)

    def tell_replace(source: Any, target: Any) -> None:
        kind = "".join(Path(target).suffixes[-2:]).removeprefix("~2-0001")
        assert Path(source).stat().st_ino in synced, f"{source} is renamed before it is synced"
        assert kind != ".json" or not unsynced_folders, "the manifest comes before the names of its files"
        assert kind != ".json.next" or not unsynced_folders, "it is decided before the folders of its files are there"
        assert "remove" not in seen or kind != ".json.next"
        replace(source, target)
        unsynced_folders.add(Path(target).parent.stat().st_ino)
        seen.append(kind)

    def tell_unlink(name: Any, **named: Any) -> None:
        assert not unsynced_folders or seen[-1] != ".json.next", "files are removed before the decision is synced"
        assert Path(name).suffix != ".next" or not unsynced_folders, "the decision goes before the manifest is synced"
        unlink(name, **named)
        unsynced_folders.add(Path(name).parent.stat().st_ino)
        seen.append("remove")

    monkeypatch.setattr(os, "mkdir", tell_mkdir)
    monkeypatch.setattr(os, "fsync", tell_sync)
    monkeypatch.setattr(os, "replace", tell_replace)
    monkeypatch.setattr(os, "unlink", tell_unlink)

    replace_a_and_b(path)

    removed = ["remove"] * (3 + 2 + 2 + 1)  # parts, rejects and raw files of both units, and the manifest of the other
    new = [".parquet", ".parquet", ".ndjson", ".jsonl.zst"]
    assert seen == [".json.next", *removed, *new, ".json", "remove"]
    assert not unsynced_folders
