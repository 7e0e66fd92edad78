"""A disk without space for some files, told when they are opened or synced: by the system, not by modules of ours."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

__all__ = ("fill_at_open", "fill_at_sync", "no_space")


def no_space(*_: Any, **__: Any) -> Any:
    """Raise what the system raises then."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill_at_sync(monkeypatch: pytest.MonkeyPatch, top: Path, text: str) -> None:
    """Have no space for what is synced below a folder and has a text in its path."""
    plain = os.fsync

    def fsync(handle: int) -> None:
        about = os.fstat(handle)
        held = (path for path in top.rglob("*") if text in path.as_posix() and path.is_file())
        if any(path.stat().st_ino == about.st_ino for path in held):
            no_space()
        plain(handle)

    monkeypatch.setattr(os, "fsync", fsync)


def fill_at_open(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Have no space for what is opened to be written and has a text in its path."""
    plain = Path.open

    def opened(path: Path, mode: str = "r", *args: Any, **named: Any) -> Any:
        if text in path.as_posix() and mode != "rb":
            no_space()
        return plain(path, mode, *args, **named)

    monkeypatch.setattr(Path, "open", opened)
