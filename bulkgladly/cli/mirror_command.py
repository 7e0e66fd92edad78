"""`dataset push` and `dataset pull`: a data set in a bucket."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import print_json, tell

__all__ = ("pull", "push")

_TELL_EVERY_S = 30.0

Url = Annotated[
    str,
    typer.Argument(help="The place in a bucket: s3://BUCKET/PREFIX, gs://… or az://….", metavar="URL"),
]


def push(
    folder: Annotated[Path, typer.Argument(help="The folder, as given to --out.", metavar="DIR")],
    url: Url,
    json: flags.Json = False,
) -> None:
    """Copy a data set to a bucket. Only what differs is sent, and what is gone is removed there.

    After an interruption, start the same command again. Credentials and region come from the environment.
    """
    from bulkgladly.lake.folder import DataFolder
    from bulkgladly.mirrors.push import push as pushed
    from bulkgladly.runs.observer import counted
    from bulkgladly.stores.store_opening import opened_store

    opened = DataFolder.open(folder)
    store = opened_store(url)
    done = pushed(opened, store, _telling("sent"))
    if json:
        print_json({**_numbers(done), "removed": done.removed, "requests": store.requests})
        return
    if not (done.units or done.gone or done.files or done.removed):
        tell(f"{store.name} already holds what {folder} holds")
        return
    removed = f"; removed {counted(done.gone, 'unit')} and {counted(done.removed, 'file')}" if done.removed else ""
    tell(f"sent {counted(done.units, 'unit')} in {_files(done)} to {store.name}{removed}")


def pull(
    url: Url,
    folder: Annotated[Path, typer.Argument(help="The folder to write to; a new one is created.", metavar="DIR")],
    json: flags.Json = False,
) -> None:
    """Copy a data set from a bucket to a folder. Only what differs is fetched, and what is gone is removed.

    Every file is compared with its hash. After an interruption, start the same command again. Credentials and region
    come from the environment.
    """
    from bulkgladly.mirrors.pull import pull as pulled
    from bulkgladly.runs.observer import counted
    from bulkgladly.stores.store_opening import opened_store

    store = opened_store(url)
    done = pulled(store, folder, _telling("fetched"))
    if json:
        print_json({**_numbers(done), "requests": store.requests})
        return
    if not (done.units or done.gone or done.files):
        tell(f"{folder} already holds what {store.name} holds")
        return
    removed = f"; removed {counted(done.gone, 'unit')}" if done.gone else ""
    tell(f"fetched {counted(done.units, 'unit')} in {_files(done)} to {folder}{removed}")


def _numbers(done: Any) -> dict[str, int]:
    return {name: getattr(done, name) for name in ("units", "gone", "files", "bytes")}


def _files(done: Any) -> str:
    from bulkgladly.runs.observer import counted

    return f"{counted(done.files, 'file')} ({done.bytes / 1e6:,.1f} MB)"


def _telling(act: str) -> Callable[[Any], None]:
    """Return what tells progress every half minute."""
    last = time.monotonic()

    def told(done: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _TELL_EVERY_S:
            last = now
            tell(f"{act} {_files(done)} so far")

    return told
