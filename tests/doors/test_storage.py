"""The disk: a file is whole or not there, and a lock is held by one."""

import os
import stat
from pathlib import Path

import pytest

from bulkgladly.storage.durable import append_lines, replacing, touch_private, write_new, write_private, write_whole
from bulkgladly.storage.lock import Lock, LockHeld


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Until then the old one has it, and an error leaves nothing else."""
    path = tmp_path / "a"
    write_whole(path, b"old")

    def break_off() -> None:
        with replacing(path) as file:
            file.write(b"half")
            assert path.read_bytes() == b"old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert (path.read_bytes(), names_in(tmp_path)) == (b"old", ["a"])
    with replacing(path) as file:
        file.write(b"new")
    assert (path.read_bytes(), names_in(tmp_path)) == (b"new", ["a"])


def test_content_and_name_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before the file gets its name, the name after that."""
    synced: list[str] = []

    def noted(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        synced.append(f"{kind} {names_in(tmp_path)}")

    monkeypatch.setattr(os, "fsync", noted)

    write_whole(tmp_path / "a", b"new")

    assert synced == ["file ['.a.partial']", "folder ['a']"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Otherwise a user who may write to the folder could have any file of ours overwritten."""
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    (tmp_path / ".a.partial").symlink_to(other)

    with pytest.raises(OSError, match="symbolic links"):
        write_whole(tmp_path / "a", b"new")

    assert other.read_bytes() == b"mine"


def test_a_new_file_takes_nobodys_place(tmp_path: Path) -> None:
    """Not even that of a link to nowhere."""
    (tmp_path / "a").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            write_new(tmp_path / name, b"new")
    write_new(tmp_path / "b", b"new")

    assert [(tmp_path / name).read_bytes() for name in ("a", "b")] == [b"mine", b"new"]
    assert names_in(tmp_path) == ["a", "b", "link"]


def test_private_files_are_for_their_owner(tmp_path: Path) -> None:
    """Whatever is made; what exists is touched and stays."""
    before = os.umask(0)
    try:
        write_private(tmp_path / "a", b"new")
        touch_private(tmp_path / "b")
    finally:
        os.umask(before)
    touch_private(tmp_path / "a")

    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert (tmp_path / "a").read_bytes() == b"new"


def test_one_has_a_lock_and_others_learn_who(tmp_path: Path) -> None:
    """Until it is given back."""
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert not first.is_held_by_anybody()

    first.take()
    with pytest.raises(LockHeld) as caught:
        second.take(wait_s=0.02)

    assert caught.value.holder == str(os.getpid())
    assert (first.is_held, second.is_held, second.is_held_by_anybody()) == (True, False, True)
    first.release()
    first.release()
    second.take()
    assert (first.is_held, second.is_held) == (False, True)
    second.release()


def test_a_lock_whose_folder_is_gone_cannot_be_had(tmp_path: Path) -> None:
    """And the lock is free."""
    lock = Lock(tmp_path / "gone" / "lock")

    with pytest.raises(FileNotFoundError):
        lock.take()

    assert not lock.is_held_by_anybody()


def test_appended_lines_are_whole(tmp_path: Path) -> None:
    """A line that a killed process left unfinished spoils only itself; only the owner may read the file."""
    path = tmp_path / "lines"
    append_lines(path, b"one\n")
    with path.open("ab") as file:
        file.write(b"unfini")

    append_lines(path, b"two\nthree\n")
    append_lines(path, b"four\n")

    assert path.read_bytes().splitlines() == [b"one", b"unfini", b"two", b"three", b"four"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_are_not_appended_through_a_link(tmp_path: Path) -> None:
    """As with all files of ours."""
    other = tmp_path / "other"
    other.write_bytes(b"mine\n")
    (tmp_path / "lines").symlink_to(other)

    with pytest.raises(OSError, match="symbolic links"):
        append_lines(tmp_path / "lines", b"x\n")

    assert other.read_bytes() == b"mine\n"
