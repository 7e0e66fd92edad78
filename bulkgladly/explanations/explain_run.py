"""`explain`: finds a record of a run, tells its story, and asks Gladly what it holds of it now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.crosswalk.crosswalk_findings import REPAIR, repaired_in
from bulkgladly.errors import BulkgladlyError, UsageError
from bulkgladly.explanations.explain_story import StoryTeller
from bulkgladly.explanations.explain_target import FoundRecords, find_records
from bulkgladly.explanations.explain_words import key_text
from bulkgladly.explanations.record_story import RecordStory, StoryField, ToldRecord
from bulkgladly.journal.record_lookup import RecordLookup
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.run_writes import RunWrites
from bulkgladly.journal.runs import newest_import
from bulkgladly.journal.units import UnitLine, units_of
from bulkgladly.journal.verdicts import VERIFY
from bulkgladly.settings import Credentials

if TYPE_CHECKING:
    from bulkgladly.explanations.explain_now import HeldNow
    from bulkgladly.runs.environment import Environment

__all__ = ("Explained", "NowAsked", "explain_record")

_MOST_STORIES = 100
_MOST_UNITS = 20
EXPORT = "export"
"""The mode of runs that fetch."""


@dataclass(frozen=True, slots=True)
class NowAsked:
    """Whether Gladly is asked what it holds now. Without credentials it is not, and `why_not` says why.

    `tell` gets a line for people if Gladly does not reply soon.
    """

    credentials: Credentials | None = None
    why_not: str = ""
    tell: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Explained:
    """The stories of the records that were meant; of an export, its `units` instead. `note` says what else may be."""

    run: str
    stories: Sequence[RecordStory] = ()
    units: Sequence[UnitLine] = ()
    note: str = ""


async def explain_record(
    run: RunFolder,
    text: str,
    *,
    asked: NowAsked,
    show_values: bool = False,
    nth: int | None = None,
    environment: "Environment | None" = None,
) -> Explained:
    """Return the story of a record: all that the run's folder knows, and what Gladly holds now.

    `text` is a row, a source key or an id. A row of which a mapping made several records has several stories; `nth`
    chooses one, from 1. Gladly is asked only if there is one story. Nothing is written, and a run that works is not
    held up.

    Raises:
        JournalDamaged: The run cannot be read; the message says why.
        UsageError: There is no such record; the message has similar keys, or says how far the run is.
    """
    run.check()
    if not (run.path / "run.json").exists():
        raise UsageError(f"run {run.name} has just started and has no records yet; try again in a moment")
    header = run.header()
    if header.mode == REPAIR:
        return Explained(run.name, note=_repaired(run, text, show_values=show_values))
    if header.mode == VERIFY:
        table = run.path / "verify.parquet"
        raise UsageError(f"run {run.name} is a verification: each row is in {table}{_instead(run, header, text)}")
    units = [] if run.has_records() else await anyio.to_thread.run_sync(units_of, run.path)
    if units or header.mode == EXPORT:
        return Explained(run.name, units=_units_named(run, header, units, text))

    def tell() -> tuple[list[ToldRecord], str, StoryTeller]:
        with RecordLookup(run.path) as lookup, RunWrites(run.path) as writes:
            found = find_records(run, header, lookup, text)
            teller = StoryTeller(run, header, lookup, writes, show_values=show_values)
            return _told(teller, found, nth, text), found.note or "", teller

    told, note, teller = await anyio.to_thread.run_sync(tell)
    if len(told) == 1:
        told[0] = told[0]._replace(story=await _with_now(told[0], teller, header.host, asked, environment))
    return Explained(run.name, [one.story for one in told], note=note)


def _told(teller: StoryTeller, found: FoundRecords, nth: int | None, text: str) -> list[ToldRecord]:
    number = len(found.ended) + len(found.pending)
    if nth is not None and not 1 <= nth <= number:
        raise UsageError(f"--record {nth}: {text} has {number} records; choose from 1 to {number}")
    first = found.ended[0] if found.ended else None
    is_of_row = all(one.position == first.position for one in found.ended) if first is not None else False
    places = [one.seq - first.seq if is_of_row and first is not None else 0 for one in found.ended]
    chosen = range(min(number, _MOST_STORIES)) if nth is None else [nth - 1]
    return [
        teller.of(found.ended[at], places[at])
        if at < len(found.ended)
        else teller.of_pending(found.pending[at - len(found.ended)])
        for at in chosen
    ]


# --- what Gladly holds now ---


async def _with_now(
    told: ToldRecord, teller: StoryTeller, host: str, asked: NowAsked, environment: "Environment | None"
) -> RecordStory:
    story, spec, options = told.story, teller.spec, teller.options
    if asked.credentials is None:
        return replace(story, now=asked.why_not)
    if spec is None or options is None:
        return story
    if told.gladly_id is None:
        return replace(story, now="not asked: the record has no id in Gladly")
    if asked.credentials.host != host:
        return replace(story, now=f"not asked: the run is of {host}, the credentials of {asked.credentials.host}")
    # Only here: what speaks HTTP takes as long to load as everything else that `explain` does.
    from bulkgladly.explanations.explain_now import hold_now, wanted_of  # noqa: PLC0415
    from bulkgladly.runs.environment import USUAL  # noqa: PLC0415

    wanted, policy = wanted_of(told.draft, told.written, told.position), options.policy(host)
    try:
        held = await hold_now(
            spec, policy, told.gladly_id, wanted, asked.credentials, environment or USUAL, tell=asked.tell
        )
    except BulkgladlyError as error:
        return replace(story, now=f"Gladly could not be asked: {error}")
    differs = [StoryField(one.field, "", teller.said(one.before), teller.said(one.after)) for one in held.differences]
    return replace(story, now=_now_text(held, told.gladly_id), now_differs=differs)


def _now_text(held: "HeldNow", gladly_id: str) -> str:
    moved = "" if held.gladly_id == gladly_id else f"; it was merged into {held.gladly_id}"
    if held.state == "equal":
        return f"Gladly holds what the row says{moved}"
    if held.state == "differs":
        return f"Gladly holds something else{moved}; it was changed since, or the row was not written:"
    if held.state == "present":
        return f"Gladly holds the object{moved}; there is nothing to compare it with"
    if held.state == "absent":
        return f"Gladly does not have the object{moved}"
    return f"it is not known: {held.detail}"


# --- runs without records ---


def _repaired(run: RunFolder, text: str, *, show_values: bool) -> str:
    found = repaired_in(run.path, text)
    if not found:
        return (
            f"run {run.name} found nothing wrong with the key or id {text}, or did not look at it"
            f"{_instead(run, run.header(), text)}"
        )
    return "; ".join(_repair_text(one, key_text(one["key"], show_values=show_values)) for one in found)


def _repair_text(one: Mapping[str, str], key: str) -> str:
    then = f" into {one['now']}, to which it leads now" if "now" in one else ""
    return f"key {key} (namespace {one['namespace']}) led to {one['gladly_id']}: {one['result']}{then}"


def _instead(run: RunFolder, header: RunHeader, text: str) -> str:
    """Return which run has the story of a record, for one that has none: its parent, else the newest import."""
    parent = None if header.parent is None else newest_import(run.state_dir, name=header.parent)
    of = None if header.mode == EXPORT else header.resource
    meant = parent or newest_import(run.state_dir, resource=of)
    if meant is None:
        return ""
    command = next_command("explain", meant.name, text, state_dir=run.state_dir, connects=True)
    which = "the run that it verifies" if meant is parent else "the newest import"
    return f"; for what {which} has sent: `{command}`"


def _units_named(run: RunFolder, header: RunHeader, units: Sequence[UnitLine], text: str) -> list[UnitLine]:
    """Return the units of an export that are meant: by their name, their data set, or a part of either.

    Raises:
        UsageError: There is none.
    """
    whole = [one for one in units if text in (one.name, one.data_set, f"{one.data_set}/{one.name}")]
    if found := whole or [one for one in units if text in f"{one.data_set}/{one.name}"]:
        return found[:_MOST_UNITS]
    names = ", ".join(f"{one.data_set}/{one.name}" for one in units[:3]) or "none yet"
    raise UsageError(
        f"run {run.name} moves no rows into Gladly, and has no download {text!r}; it has {names}"
        + (f" and {len(units) - 3:,} more" if len(units) > 3 else "")
        + _instead(run, header, text)
    )
