"""What a shell proposes when Tab is pressed: objects, runs, profiles, reports, and words of closed lists.

A shell waits for this at each Tab, so each look loads only what it needs. Nothing here may print or raise: what cannot
be read has no proposals.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

__all__ = (
    "COMPLETE_VARIABLE",
    "commands",
    "compressions",
    "data_sets",
    "event_kinds",
    "finished_runs",
    "objects_to_dump",
    "objects_to_export",
    "objects_to_import",
    "objects_to_show",
    "profiles",
    "report_channels",
    "report_levels",
    "reports",
    "running_runs",
    "runs",
    "several_runs",
    "systems",
    "unfinished_runs",
    "verifiable",
)

COMPLETE_VARIABLE = "_BULKGLADLY_COMPLETE"
"""The variable by which a shell asks the program for proposals."""
MOST_RUNS = 50
"""How many runs are looked at, the newest first: a nightly dump keeps hundreds."""

Proposal = tuple[str, str]
"""A word, and what it means; some shells show that."""
Completer = Callable[[typer.Context, str], list[Proposal]]


def _completer(find: Callable[[typer.Context], Iterable[Proposal]], *, is_list: bool = False) -> Completer:
    """Return the function that Typer calls. With `is_list` the words are comma-separated, and none comes twice."""

    def complete(ctx: typer.Context, incomplete: str) -> list[Proposal]:
        try:
            before, comma, _ = incomplete.rpartition(",") if is_list else ("", "", "")
            given = set(before.split(","))
            return [(f"{before}{comma}{word}", about) for word, about in find(ctx) if word not in given]
        except Exception:  # noqa: BLE001 - nothing may disturb the line that a person is typing
            return []

    complete.__doc__ = find.__doc__
    return complete


def _plain(words: Iterable[str]) -> Iterator[Proposal]:
    return ((word, "") for word in words)


# --- objects and reports ---

# Written out, because the table that holds them loads all that is known of phone numbers and addresses, and that
# takes longer than everything else together. A test compares them.
_IMPORTED = (
    *("customers", "activities", "tasks", "task-comments", "notes", "topics", "conversations", "conversation-topics"),
    *("freeform-topics", "redactions", "answers", "answer-contents", "business-hours", "webhooks", "sms", "emails"),
    *("replies", "recipient-collections"),
)
_EXPORTED = (
    *("items", "customers", "agents", "topics", "organization", "agents-list", "topics-list", "inboxes", "teams"),
    *("audiences", "business-hours", "webhooks", "schedules", "jobs", "public-answers", "events", "profiles"),
    *("conversations", "conversation", "conversation-items", "item", "tasks", "task", "task-comments", "answers"),
    *("answer-contents", "recordings", "transcripts", "attachments"),
)
_ONE_ROW_OF_ANOTHER = frozenset({"conversation", "item", "task"})
"""What can be exported, but fills the data set of another object."""


def _imported(_: typer.Context) -> Iterable[Proposal]:
    """Propose the objects that can be imported."""
    return _plain(_IMPORTED)


def _dumped(_: typer.Context) -> Iterable[Proposal]:
    """Propose the objects that can be exported."""
    return _plain(_EXPORTED)


def _exported(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the objects that can be exported, and behind `report` the reports."""
    if "report" in (ctx.params.get("words") or ()):
        return _reported(ctx)
    return [*_dumped(ctx), ("report", "the reports that are named behind it"), ("reports", "with --all")]


def _reported(_: typer.Context) -> Iterable[Proposal]:
    """Propose the reports, each with the question that it answers."""
    from bulkgladly.gladly.objects.reports import OBJECT

    return ((one.name, one.question) for one in OBJECT.metric_sets if one.is_listed)


def _shown(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose all that has columns: objects and reports."""
    words = dict.fromkeys((*_IMPORTED, *_EXPORTED))
    return [*_plain(word for word in words if word not in _ONE_ROW_OF_ANOTHER), *_reported(ctx)]


def _levels(_: typer.Context) -> Iterable[Proposal]:
    """Propose the spans of time that a row of a report covers."""
    from bulkgladly.gladly.report_queries import AGGREGATION_LEVELS

    return _plain(AGGREGATION_LEVELS)


def _channels(_: typer.Context) -> Iterable[Proposal]:
    """Propose the channels of reports."""
    from bulkgladly.gladly.report_queries import CHANNELS

    return _plain(CHANNELS)


def _event_kinds(_: typer.Context) -> Iterable[Proposal]:
    """Propose the kinds of events."""
    from bulkgladly.gladly.objects.events import EVENT_ENTITIES

    return _plain(EVENT_ENTITIES)


def _compressed(_: typer.Context) -> Iterable[Proposal]:
    """Propose the compressions of files."""
    return _plain(("zstd", "snappy", "gzip", "none"))


def _systems(_: typer.Context) -> Iterable[Proposal]:
    """Propose the systems whose exports have a preset."""
    from bulkgladly.presets.preset_catalog import preset_names

    return _plain(preset_names())


# --- what is on this machine ---


def _settings(ctx: typer.Context) -> Any:
    """Return the settings file. The parser calls no callback while it completes, so nobody has read it."""
    from bulkgladly.settings import load_toml

    given = ctx.find_root().params.get("config")
    return load_toml(None if given is None else Path(given))


def _profiles(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the profiles of the settings file, each with its host."""
    return ((name, str(each.get("host", ""))) for name, each in _settings(ctx).get("profiles", {}).items())


def _state_dir(ctx: typer.Context) -> Path:
    """Return the state directory as the command would find it: flag, variable, settings file, default."""
    source = ctx.get_parameter_source("state_dir")
    given = ctx.params.get("state_dir")
    if given is not None and source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT"):
        return Path(given)
    settings = _settings(ctx)
    own = settings.get(str(ctx.command.name), {})
    name = own.get("state_dir") if isinstance(own, dict) else None
    return Path(name or settings.get("state_dir") or ".bulkgladly")


def _newest(ctx: typer.Context) -> Iterator[tuple[Any, str]]:
    """Yield the newest runs, each with its status."""
    from bulkgladly.journal.runs import all_folders

    for run in all_folders(_state_dir(ctx))[: -MOST_RUNS - 1 : -1]:
        if run.fault() is None and (run.path / "run.json").exists():
            yield run, run.live_status()


def _runs(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the newest runs, each with its status."""
    return ((run.name, status) for run, status in _newest(ctx))


def _explained(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the newest runs, unless one is there already: then a record follows."""
    return () if ctx.params.get("words") else _runs(ctx)


def _unfinished(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the newest runs that can be resumed."""
    return ((run.name, status) for run, status in _newest(ctx) if status != "complete")


def _running(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the runs on which a process works now."""
    return ((run.name, status) for run, status in _newest(ctx) if status == "running")


def _finished(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the newest imports, whose rejects can be retried."""
    return ((run.name, status) for run, status in _newest(ctx) if run.header().is_import)


def _verifiable(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose what can be compared with Gladly: the newest imports, and objects."""
    return [*_finished(ctx), *_imported(ctx)]


def _plans(_: typer.Context) -> Iterable[Proposal]:
    """Propose the plans in this folder."""
    return _plain(sorted(found.parent.name for found in Path().glob("*/plan.json")))


def _data_sets(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the data sets in a folder; what begins with `_` is not one."""
    folder = Path(str(ctx.params["folder"]))
    with os.scandir(folder) as found:
        names = [each.name for each in found if each.is_dir()]
    return _plain(sorted(name for name in names if not name.startswith(("_", ".")) and name != "current"))


# --- the program itself ---


def _commands(ctx: typer.Context) -> Iterable[Proposal]:
    """Propose the commands behind those that are typed already."""
    at: Any = ctx.find_root().command
    for name in ctx.params.get("command") or ():
        at = at.commands[name]
    return ((name, (each.help or "").partition("\n")[0]) for name, each in getattr(at, "commands", {}).items())


objects_to_import = _completer(_imported)
objects_to_export = _completer(_exported)
objects_to_dump = _completer(_dumped, is_list=True)
objects_to_show = _completer(_shown)
reports = _completer(_reported, is_list=True)
report_levels = _completer(_levels)
report_channels = _completer(_channels)
event_kinds = _completer(_event_kinds, is_list=True)
compressions = _completer(_compressed)
systems = _completer(_systems)
profiles = _completer(_profiles)
runs = _completer(_runs)
running_runs = _completer(_running)
unfinished_runs = _completer(_unfinished)
finished_runs = _completer(_finished)
explained_runs = _completer(_explained)
verifiable = _completer(_verifiable)
several_runs = _completer(_runs, is_list=True)
plans = _completer(_plans)
data_sets = _completer(_data_sets)
commands = _completer(_commands)
