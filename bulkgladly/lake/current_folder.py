"""One folder in the place of another, as a whole.

Where the system can exchange two names in one step (Linux), a reader and a kill find the old
folder or the new one. Elsewhere it takes two renames: a kill between them leaves no folder
under the name, and both beside it, and `settle_current` ends what was begun.
"""

import ctypes
import os
import shutil
import sys
from pathlib import Path

from bulkgladly.lake.disk import sync_folder
from bulkgladly.lake.places import CURRENT

__all__ = ("put_in_place", "remove_scratch", "remove_tree", "scratch_of", "settle_current")

_NEW, _OLD = ".new", ".old"
_AT_CWD, _EXCHANGE = -100, 2


def scratch_of(top: Path) -> Path:
    """Return where this process may spill; `remove_scratch` removes it."""
    return top / f".compact-{os.getpid()}"


def remove_scratch(top: Path) -> list[Path]:
    """Remove what processes have spilled, and return it. For whoever holds the lock."""
    return [remove_tree(path) for path in sorted(top.glob(".compact-*"))]


def put_in_place(made: Path, final: Path) -> None:
    """Give a folder, whole and synced, its name; what has the name so far is removed.

    Both must be on the same file system. Killed: the old folder has the name, or the new one.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    new = final.with_name(f".{final.name}{_NEW}")
    remove_tree(new)
    made.replace(new)
    sync_folder(final.parent)
    _finish(new, final)


def settle_current(top: Path) -> list[Path]:
    """End or take back what a kill has cut, also in scratch folders; return what was removed."""
    removed = remove_scratch(top)
    current = top / CURRENT
    if current.is_symlink() or not current.is_dir():
        return removed
    for new in sorted(current.rglob(f".*{_NEW}")):
        final = new.with_name(new.name.removeprefix(".").removesuffix(_NEW))
        if final.exists():
            removed.append(remove_tree(new))
        else:
            _finish(new, final)
    removed += [remove_tree(old) for old in sorted(current.rglob(f".*{_OLD}"))]
    return removed


def _finish(new: Path, final: Path) -> None:
    old = final.with_name(f".{final.name}{_OLD}")
    remove_tree(old)
    if not final.exists():
        new.replace(final)
    elif _exchange(new, final):
        new.replace(old)
    else:
        final.replace(old)
        new.replace(final)
    sync_folder(final.parent)
    remove_tree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; tell whether the system could."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    result: int = rename(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE)
    return result == 0


def remove_tree(path: Path) -> Path:
    """Remove a folder and all in it, or a link and not what it leads to, or nothing."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    return path
