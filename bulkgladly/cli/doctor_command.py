"""`doctor`: everything that a run needs, looked at one by one, each with its own advice."""

import datetime as dt
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from bulkgladly._version import __version__
from bulkgladly.cli import flags
from bulkgladly.cli.configuration import credentials_for
from bulkgladly.cli.output import print_json, print_lines
from bulkgladly.errors import BulkgladlyError, WrongOrganisation
from bulkgladly.settings import Credentials
from bulkgladly.storage.failures import not_written

__all__ = ("doctor",)

LEAST_FREE_BYTES = 1 << 30
MOST_SKEW_S = 120.0
SLOW_SYNC_MS = 20.0


def doctor(
    context: typer.Context,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    profile: flags.Profile = None,
    json: flags.Json = False,
) -> None:
    """Look at credentials, permission, host, clock, limits and disk, with one request to Gladly."""
    findings: list[dict[str, str]] = []

    def found(what: str, is_good: bool | None, text: str) -> None:
        mark = {True: "ok", False: "BAD", None: "note"}[is_good]
        findings.append({"what": what, "result": mark, "text": text})
        if not json:
            print_lines(f"{mark:>5}  {what:<12} {text}")

    found(
        "version",
        True,
        f"bulkgladly {__version__}, Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}",
    )
    for what, is_good, text in _disk(state_dir):
        found(what, is_good, text)
    exit_code = 0
    try:
        credentials = credentials_for(context, profile)
        found(
            "credentials",
            True,
            f"{credentials.username} at {credentials.host}; the token is set and not shown",
        )
        for what, is_good, text in _ask(credentials):
            found(what, is_good, text)
    except BulkgladlyError as error:
        found("Gladly", False, str(error))
        exit_code = error.exit_code
    if json:
        print_json({"findings": findings})
    if not exit_code and any(finding["result"] == "BAD" for finding in findings):
        exit_code = 2
    raise typer.Exit(exit_code)


def _disk(state_dir: Path) -> Iterator[tuple[str, bool | None, str]]:
    place = next(path for path in (state_dir, *state_dir.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK):
        yield "disk", False, f"{place} cannot be written; choose another with --state-dir"
        return
    free = shutil.disk_usage(place).free
    enough = free >= LEAST_FREE_BYTES
    advice = "" if enough else "; a run of a million records needs about 1 GB"
    yield "disk", enough, f"{free / 2**30:.1f} GiB free in {place}{advice}"
    try:
        each_ms = _sync_ms(place)
    except OSError as error:
        yield "disk sync", False, str(not_written(f"a file in {place}", error, "look again"))
        return
    is_quick = each_ms < SLOW_SYNC_MS
    yield "disk sync", True if is_quick else None, f"{each_ms:.1f} ms for each sync to the disk"


def _sync_ms(place: Path) -> float:
    """Return how long one of five blocks takes to be on the disk, in milliseconds."""
    with tempfile.TemporaryFile(dir=place) as file:
        started = time.perf_counter()
        for _ in range(5):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return (time.perf_counter() - started) * 200


def _ask(credentials: Credentials) -> Iterator[tuple[str, bool | None, str]]:
    import anyio

    from bulkgladly.messages import GET_ORGANIZATION, Reply
    from bulkgladly.transport.client import Client
    from bulkgladly.transport.pacer import Pacer

    async def ask() -> tuple[Reply, float]:
        async with Client(credentials.host, credentials.username, credentials.token(), pacer=Pacer()) as client:
            started = time.perf_counter()
            reply = await client.send(GET_ORGANIZATION)
            return reply, time.perf_counter() - started

    reply, seconds = anyio.run(ask)
    organisation = reply.object
    if organisation is None:
        raise WrongOrganisation(
            f"{credentials.host} answers {reply.status} where every organisation answers 200; check GLADLY_HOST"
        )
    yield "organisation", True, f"{organisation.get('name', '?')} ({organisation.get('id', '?')})"
    yield "permission", True, "the user may use the API"
    yield "latency", True, f"{seconds * 1000:.0f} ms for one request, connecting included"
    yield from _limits(reply.headers)
    yield from _clock(reply.headers.get("date"))


def _limits(headers: Any) -> Iterator[tuple[str, bool | None, str]]:
    limit = headers.get("ratelimit-limit-second")
    if limit is None:
        yield "limits", None, "the answer names no limit; 10 requests a second are assumed"
    else:
        left = headers.get("ratelimit-remaining-second", "?")
        yield (
            "limits",
            True,
            f"{limit} requests a second for the whole organisation, {left} left in this second",
        )


def _clock(date: str | None) -> Iterator[tuple[str, bool | None, str]]:
    if date is None:
        return
    import email.utils

    try:
        told = email.utils.parsedate_to_datetime(date)
    except ValueError:
        yield "clock", None, f"the answer's Date is not a time: {date}"
        return
    told = told.replace(tzinfo=dt.UTC) if told.tzinfo is None else told
    skew = (dt.datetime.now(dt.UTC) - told).total_seconds()
    is_right = abs(skew) < MOST_SKEW_S
    advice = "" if is_right else "; set the clock, since exports and reports go by time"
    yield "clock", is_right, f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server's{advice}"
