"""What a run needs, checked one by one: versions, disk, credentials, organisation, limits, clock."""

import datetime as dt
import email.utils
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from bulkgladly._version import __version__
from bulkgladly.api.single_exchange import no_organisation
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.messages import GET_ORGANIZATION
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.stages import telling_if_slow
from bulkgladly.settings import Credentials, Limits, Pace
from bulkgladly.storage.failures import not_written

__all__ = ("Diagnosis", "diagnose", "examine_machine")

LEAST_FREE_BYTES = 1 << 30
MOST_SKEW_S = 120.0
SLOW_SYNC_MS = 20.0
SLOW_REPLY_S = 2.0


class Diagnosis(NamedTuple):
    """One thing that was checked. `is_good` is None if it is worth knowing, but not an obstacle."""

    what: str
    is_good: bool | None
    text: str


async def examine_machine(state_dir: AnyPath = ".bulkgladly") -> list[Diagnosis]:
    """Return the versions on this machine, and what is to be known of the disk on which runs would be kept."""
    versions = f"bulkgladly {__version__}, Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    place = local_path(state_dir)
    return [Diagnosis("version", True, versions), *await anyio.to_thread.run_sync(lambda: list(_disk(place)))]


async def diagnose(
    credentials: Credentials, *, environment: Environment = USUAL, tell: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Diagnosis]:
    """Yield what one request to the organisation shows: credentials, permission, latency, limits and its clock.

    If the host does not reply soon, `tell` gets a line for people that says how long it will be tried.

    Raises:
        NotAuthenticated, NotPermitted, NotTrusted, Outage: As for an import.
        WrongOrganisation: The host answers, but not as a Gladly organisation does.
    """
    name = f"{credentials.username} at {credentials.host}; the token is set and not shown"
    yield Diagnosis("credentials", True, name)
    # Without the shared budget: for a single request it is not worth while, and a wait for others is no latency.
    async with Connection(credentials, Pace(), Limits(), replace(environment, budget=None)).client as client:
        started = time.perf_counter()
        reply = await telling_if_slow(
            partial(client.send, GET_ORGANIZATION),
            partial(tell, f"no reply from {credentials.host} yet; trying for {environment.first_contact_s:g} s"),
            after_s=min(SLOW_REPLY_S, environment.first_contact_s / 2),
            sleep=environment.sleep,
        )
        seconds = time.perf_counter() - started
    organisation = reply.object
    if organisation is None:
        raise no_organisation(credentials.host, reply.status)
    yield Diagnosis("organisation", True, f"{organisation.get('name', '?')} ({organisation.get('id', '?')})")
    yield Diagnosis("permission", True, "the user may use the API")
    yield Diagnosis("latency", True, f"{seconds * 1000:.0f} ms for one request, connecting included")
    yield _limits(reply.headers)
    if (date := reply.headers.get("date")) is not None:
        yield _clock(date)


def _disk(state_dir: Path) -> Iterator[Diagnosis]:
    place = next(path for path in (state_dir, *state_dir.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK):
        yield Diagnosis("disk", False, f"{place} is not writable; choose another place with --state-dir")
        return
    free = shutil.disk_usage(place).free
    enough = free >= LEAST_FREE_BYTES
    advice = "" if enough else "; a run of a million records needs about 1 GB"
    yield Diagnosis("disk", enough, f"{free / 2**30:.1f} GiB free in {place}{advice}")
    try:
        each_ms = _sync_ms(place)
    except OSError as error:
        yield Diagnosis("disk sync", False, str(not_written(f"a file in {place}", error, "check again")))
        return
    is_quick = each_ms < SLOW_SYNC_MS
    yield Diagnosis("disk sync", True if is_quick else None, f"{each_ms:.1f} ms for each sync to the disk")


def _sync_ms(place: Path) -> float:
    """Return how long one of five blocks takes to be on the disk, in milliseconds."""
    with tempfile.TemporaryFile(dir=place) as file:
        started = time.perf_counter()
        for _ in range(5):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return (time.perf_counter() - started) * 200


def _limits(headers: Mapping[str, str]) -> Diagnosis:
    limit = headers.get("ratelimit-limit-second")
    if limit is None:
        return Diagnosis("limits", None, "the response names no limit; 10 requests a second are assumed")
    left = headers.get("ratelimit-remaining-second", "?")
    text = f"{limit} requests a second for the whole organisation, {left} left in this second"
    return Diagnosis("limits", True, text)


def _clock(date: str) -> Diagnosis:
    try:
        told = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return Diagnosis("clock", None, f"the Date of the response is not a time: {date}")
    told = told.replace(tzinfo=dt.UTC) if told.tzinfo is None else told
    skew = (dt.datetime.now(dt.UTC) - told).total_seconds()
    is_right = abs(skew) < MOST_SKEW_S
    advice = "" if is_right else "; set the clock, since exports and reports depend on it"
    return Diagnosis(
        "clock", is_right, f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server's{advice}"
    )
