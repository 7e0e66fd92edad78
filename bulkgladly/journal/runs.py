"""The runs of a state directory: listing them, finding one by its name, and letting one at a time begin."""

import contextlib
import datetime as dt
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, overload

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError, DiskFull, RunLocked, UsageError
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = (
    "Purged",
    "all_folders",
    "beginning",
    "find_run",
    "list_runs",
    "newest_import",
    "newest_with_rejects",
    "open_to_others",
    "purge_runs",
    "unusable_runs",
)

_BEGIN_WAIT_S = 30.0
_MOST_NAMED = 4


def all_folders(state_dir: AnyPath) -> list[RunFolder]:
    """Return all run folders of a state directory, oldest first, also those that cannot be used.

    Raises:
        UsageError: The state directory cannot be read.
    """
    try:
        folders = [RunFolder(path) for path in (local_path(state_dir) / "runs").iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{state_dir} cannot be read: {error.strerror}; choose another with --state-dir") from error
    return sorted(folders, key=_age)


def _age(run: RunFolder) -> tuple[str, int, str]:
    """Return what runs are sorted by: the second in their names, and then when their headers were written."""
    try:
        written = (run.path / "run.json").stat().st_mtime_ns
    except OSError:
        written = 0
    return run.name.rpartition("_")[0].partition("_")[2], written, run.name


def list_runs(state_dir: AnyPath) -> Iterator[RunFolder]:
    """Yield the runs of a state directory that can be used, oldest first. Faulty runs are skipped."""
    for run in all_folders(state_dir):
        if run.fault() is None and (run.path / "run.json").exists():
            yield run


@overload
def find_run(
    state_dir: AnyPath,
    name: str,
    *,
    statuses: Sequence[str] = (),
    is_meant: Callable[[RunFolder], bool] | None = None,
) -> RunFolder: ...
@overload
def find_run(
    state_dir: AnyPath,
    name: str | None,
    *,
    statuses: Sequence[str] = (),
    is_meant: Callable[[RunFolder], bool] | None = None,
) -> RunFolder | None: ...
def find_run(
    state_dir: AnyPath,
    name: str | None,
    *,
    statuses: Sequence[str] = (),
    is_meant: Callable[[RunFolder], bool] | None = None,
) -> RunFolder | None:
    """Return a run by its name or an unambiguous part of it; without a name the newest of `statuses`.

    A name also finds a run that cannot be used, so that the caller can say why; without a
    name such runs are skipped. If a part of a name fits several runs, it means the one of `statuses`, or the one of
    which `is_meant` is true.

    Raises:
        UsageError: No run, or more than one, has this name.
    """
    if name is None:
        runs = list(list_runs(state_dir))[::-1]
        return next((run for run in runs if not statuses or _status_or_none(run) in statuses), None)
    named = [run for run in all_folders(state_dir) if name in run.name]
    sound = [run for run in named if run.fault() is None]
    is_wanted = is_meant or (lambda run: _status_or_none(run) in statuses)
    wanted = [run for run in sound if is_wanted(run)] if len(sound) > 1 else sound
    for found in ([run for run in named if run.name == name], wanted, sound, named):
        if len(found) == 1:
            return found[0]
        if found:
            # The newest first: it is the likeliest.
            names = ", ".join(run.name for run in found[: -_MOST_NAMED - 1 : -1])
            names += f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
            raise UsageError(f"{name!r} matches {len(found)} runs: {names}; use the full name")
    listing = next_command("runs", "list", state_dir=local_path(state_dir))
    raise UsageError(f"there is no run {name!r} in {state_dir}; `{listing}` lists the runs")


def newest_import(state_dir: AnyPath, *, resource: str | None = None, name: str | None = None) -> RunFolder | None:
    """Return the newest run that sends rows to Gladly, of any object or of this one, or the one with this name."""
    for run in list(list_runs(state_dir))[::-1]:
        with contextlib.suppress(BulkgladlyError):  # removed a moment ago
            header = run.header()
            if header.is_import and resource in (None, header.resource) and name in (None, run.name):
                return run
    return None


def newest_with_rejects(state_dir: AnyPath) -> RunFolder | None:
    """Return the newest run of an import that has ended with rejected rows; None if there is none."""
    for run in list(list_runs(state_dir))[::-1]:
        # An import always writes this file, and leaves it empty if nothing was rejected. An export has none.
        with contextlib.suppress(OSError):
            if (run.path / "rejected.ndjson").stat().st_size:
                return run
    return None


def unusable_runs(state_dir: AnyPath) -> list[str]:
    """Return a sentence for each run that may have sent something but cannot be used, the newest first."""
    found = [(run, run.fault()) for run in all_folders(state_dir)[::-1]]
    return [
        f"run {run.name} is {fault.word}: {fault.detail}"
        for run, fault in found
        if fault is not None and fault.word != "half-born"
    ]


def _status_or_none(run: RunFolder) -> str | None:
    try:
        return run.status()
    except BulkgladlyError:  # damaged further on, or removed a moment ago
        return None


@contextlib.contextmanager
def beginning(state_dir: Path) -> Iterator[None]:
    """Let one run at a time begin: from the check for unfinished runs until the new one is visible.

    Raises:
        RunLocked: Another process has been beginning a run for half a minute.
        UsageError: The state directory is not writable.
    """
    path = state_dir / "lock"
    lock = Lock(path)
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.take(wait_s=_BEGIN_WAIT_S)
    except LockHeld as held:
        raise RunLocked(f"another process holds {path} and does not release it; end it, then try again") from held
    except OSError as error:
        if isinstance(ours := file_error(error, path), DiskFull):
            raise ours from error
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; choose another place with --state-dir"
        ) from error
    try:
        yield
    finally:
        lock.release()


def open_to_others(state_dir: Path) -> str | None:
    """Return a warning if other users of the machine may list a state directory, or write to it.

    Its files are private, but who may write to the folder can replace them. Its mode is not
    changed, since a folder that existed before is the user's.
    """
    try:
        mode = state_dir.stat().st_mode & 0o777
    except OSError:
        return None
    if not mode & 0o077:
        return None
    what = "can be changed" if mode & 0o022 else "can be listed"
    return f"{state_dir} {what} by other users (mode {mode:o}); to stop that: chmod 700 {shlex.quote(str(state_dir))}"


class Purged(NamedTuple):
    """The runs that a purge removed, their bytes, and those that it kept although they are old, with the reason."""

    removed: tuple[str, ...]
    bytes: int
    kept: Mapping[str, str]


def purge_runs(state_dir: AnyPath, before: dt.datetime) -> Purged:
    """Remove the complete runs that began before a time. What outlives runs (`state.sqlite`) stays.

    Runs that can be resumed, that cannot be read, or on which a process works are kept. Killed in between, a run is
    there or removed, or counts as one that never began.
    """
    removed, size, kept = [], 0, {}
    for run in all_folders(state_dir):
        try:
            if dt.datetime.fromisoformat(run.header().created_at) >= before:
                continue
            if (status := run.live_status()) != "complete":
                kept[run.name] = status
                continue
            found = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
            with run.lock():
                run.remove()
        except (BulkgladlyError, OSError, ValueError) as error:
            kept[run.name] = str(error)
            continue
        removed.append(run.name)
        size += found
    return Purged(tuple(removed), size, kept)
