"""`summary.md`: what a person reads and signs before a plan is applied. Values are masked unless asked for."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.commands import next_command
from bulkgladly.gladly.change import Action
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.fixes import fix_for
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.result_tables import WARNINGS
from bulkgladly.mapping.column_shapes import shape
from bulkgladly.plans.plan_folder import CHANGES, PlanInfo
from bulkgladly.plans.plan_totals import PlanTotals, RejectSample
from bulkgladly.plans.planned_changes import FieldChange
from bulkgladly.records import Position, Problem, Stage, Word, place_of_row
from bulkgladly.runs.observer import counted, duration_text
from bulkgladly.runs.summary import day_text
from bulkgladly.shown import MOST_NAME, shown_cell

__all__ = ("counts_of", "effort_text", "numbers_of", "page_of")

_ENTRIES_SHOWN = 3
_SAID = {
    "to_create": "to create",
    "to_update": "to update",
    "to_delete": "to delete",
    "open": "decided when the plan is applied",
    "unchanged": "unchanged, nothing is sent",
    "skipped": "skipped",
    "rejected": "rejected, nothing is sent",
}


def numbers_of(info: PlanInfo) -> list[tuple[int, str]]:
    """Return how many records there are of each fate, without those of which there are none."""
    return [(number, _SAID[word]) for word, number in counts_of(info).items() if number]


def counts_of(info: PlanInfo) -> dict[str, int]:
    """Return how many records there are of each fate, by `PLAN_WORDS`."""
    skipped, actions = info.words.get(Word.SKIPPED, 0), info.actions
    return {
        "to_create": actions.get(Action.CREATE, 0),
        "to_update": actions.get(Action.UPDATE, 0),
        "to_delete": actions.get(Action.DELETE, 0),
        "open": actions.get("open", 0),
        "unchanged": actions.get(Action.NONE, 0) - skipped,
        "skipped": skipped,
        "rejected": actions.get(Action.REFUSE, 0),
    }


def effort_text(info: PlanInfo) -> str:
    """Return how many requests an apply takes, and how long at the pace."""
    low, high = info.requests
    requests = counted(high, "request") if low == high else f"{low:,} to {high:,} requests"
    if info.seconds is None:
        return requests
    how = f"at {info.per_second:g}/s" if info.schedule is None else "by --rate-schedule, if it is applied now"
    if math.isinf(info.seconds[1]):
        return f"{requests}, which take more than ten years {how}"
    times = [duration_text(one) for one in info.seconds]
    span = times[1] if times[0] == times[1] else f"{times[0]} to {times[1]}"
    return f"{requests}, {span} {how}"


def page_of(
    info: PlanInfo,
    totals: PlanTotals,
    spec: ImportSpec,
    *,
    out: Path,
    options: ImportOptions,
    told: Sequence[str],
    dropped: Mapping[str, int],
    show_values: bool,
) -> str:
    """Return the page as Markdown. `told` are further lines about what the plan rests on.

    `dropped` counts the values that are left out because they are not valid, by column.
    """
    names = [Path(each.path).name for each in info.inputs]
    text: Callable[[Any], str] = _whole if show_values else shape
    how = (
        "Everything that would be overwritten was read from Gladly while this plan was made."
        if info.is_live
        else "This plan was made from what earlier runs have sent; nothing was read from Gladly."
    )
    parts = [
        f"# Plan: {info.resource} from {', '.join(map(shown_cell, names))} to {info.host}{day_text(info.made_at)}",
        " ".join((*_organisation(info), f"Mode {info.mode}.", how)),
        *(f"- {shown_cell(line)}" for line in told),
        _table(("records", "what happens"), [(f"{number:,}", said) for number, said in numbers_of(info)]),
        f"**{effort_text(info)}.**",
        *_made_with(info, spec, options),
        *_fields(totals, names, text),
        *_refused(totals, names),
        *_left_out(dropped),
        *_opened(info),
        *_unlisted(info, spec),
        *_irrevocable(info, spec),
        _requests(info),
        _how_to_apply(out, options.state_dir),
    ]
    return "\n\n".join(parts) + "\n"


def _organisation(info: PlanInfo) -> list[str]:
    return [f"Organisation `{shown_cell(info.organisation)}`."] if info.organisation else []


def _made_with(info: PlanInfo, spec: ImportSpec, options: ImportOptions) -> list[str]:
    """Return the command by which rows became these changes, without what may hold personal values."""
    # The values of variables stay in the plan itself.
    options = replace(options, mapping=None if options.mapping is None else replace(options.mapping, variables=()))
    names = [Path(each.path).name for each in info.inputs]
    flags = [*options.flags(spec), *options.reading.flags()]
    shown = next_command("plan", info.resource, *names, *flags, *(["--live"] if info.is_live else []))
    return [f"Made with `{shown_cell(shown, 1_000)}`."]


def _fields(totals: PlanTotals, names: Sequence[str], text: Callable[[Any], str]) -> list[str]:
    if not totals.changed:
        return []
    lines = ["## What updates change", "| field | records | samples |\n|---|---:|---|"]
    for name, number in totals.changed.most_common():
        samples = "<br>".join(f"{_place(names, at)}: {_sample(one, text)}" for at, one in totals.samples[name])
        lines[-1] += f"\n| {shown_cell(name)} | {number:,} | {samples} |"
    if totals.unseen:
        lines.append(
            f"{counted(totals.unseen, 'record')}: the old values have not been read yet; `apply` reads them before it "
            "writes."
        )
    if text is shape:
        lines.append("Values are masked (a/A letter, 9 digit). Plan with `--show-values` to see them.")
    return lines


def _refused(totals: PlanTotals, names: Sequence[str]) -> list[str]:
    if not totals.rejects:
        return []
    table = "| reason | records | first | fix |\n|---|---:|---|---|"
    for code, number in totals.rejects.most_common():
        table += f"\n| {_reason(code, totals.refused[code])} | {number:,} | {_places(names, totals.refused[code])} |"
        table += f" {shown_cell(fix_for(Problem(code, '', stage=Stage.CHECK)), 200)} |"
    return ["## Rejected", table, "The rows are in `rejected.ndjson`, and can be imported once they are corrected."]


def _left_out(dropped: Mapping[str, int]) -> list[str]:
    if not dropped:
        return []
    number = sum(dropped.values())
    fields = ", ".join(f"{count:,} in {shown_cell(name, MOST_NAME)}" for name, count in dropped.items())
    are = "that is not valid is" if number == 1 else "that are not valid are"
    return [f"{counted(number, 'value')} {are} left out of records that are planned ({fields}); see `{WARNINGS}`."]


def _reason(code: str, sample: RejectSample) -> str:
    detail = shown_cell(sample.reason.partition("; ")[0], 120)
    return f"{shown_cell(code)}: {detail}" if detail else shown_cell(code)


def _places(names: Sequence[str], sample: RejectSample) -> str:
    return ", ".join(_place(names, at) for at in sample.places)


def _opened(info: PlanInfo) -> list[str]:
    number = info.actions.get("open", 0)
    if not number:
        return []
    what = "is" if number == 1 else "are"
    why = "They depend on an earlier row, or only a request can tell."
    more = "" if info.is_live else " Plan with `--live` to decide them now."
    return [f"{counted(number, 'record')} {what} decided when the plan is applied, as an import would. {why}{more}"]


def _unlisted(info: PlanInfo, spec: ImportSpec) -> list[str]:
    """Return what nobody can look up before it is written."""
    if not spec.unlisted or not (info.actions.get(Action.CREATE, 0) or spec.unlisted in info.changed):
        return []
    what = f"Each {spec.unlisted} must be unique among {spec.name}, which Gladly's API does not list"
    return [f"{what}: a record whose {spec.unlisted} is taken ends as rejected, and nothing of it is written."]


def _irrevocable(info: PlanInfo, spec: ImportSpec) -> list[str]:
    lines = []
    if deleted := info.actions.get(Action.DELETE, 0):
        lines.append(f"- {counted(deleted, 'deletion')}: {spec.deletes or spec.name} cannot be restored.")
    if spec.contacts_people and info.actions.get(Action.CREATE, 0):
        lines.append(f"- Each row {spec.contacts_people}; what was sent cannot be taken back.")
    elif (created := info.actions.get(Action.CREATE, 0)) and not (spec.reversal and spec.reversal.can_delete):
        why = spec.irreversible if spec.reversal is None else spec.reversal.why_not
        lines.append(f"- {counted(created, 'new record')}: {why}.")
    if (updated := info.actions.get(Action.UPDATE, 0)) and spec.reversal is None:
        lines.append(f"- {counted(updated, 'update')}: {spec.irreversible}.")
    return ["## What cannot be taken back", "\n".join(lines)] if lines else []


def _requests(info: PlanInfo) -> str:
    rows = [(name, _span(info.least.get(name, 0), most)) for name, most in sorted(info.most.items())]
    said = "These are what `apply` sends. `getOrganization` checks the organisation before anything is sent"
    if info.requests[0] != info.requests[1]:
        said += ", and at most once a minute that it is still there"
    return "\n\n".join(("## Requests", _table(("request", "number"), rows), f"{said}."))


def _span(low: int, high: int) -> str:
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"


def _how_to_apply(out: Path, state_dir: Path) -> str:
    command = next_command("apply", out, state_dir=state_dir, connects=True)
    fits = (
        f"Each change is a row in `{CHANGES}`. The plan is refused if the input, the mapping, the organisation or "
        "this folder has changed, or if another run has written the same records. A record that is no longer as "
        "the plan saw it is rejected (`moved`), and is not overwritten."
    )
    return "\n\n".join(("## How to apply it", f"    {command}", fits))


def _table(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> str:
    right = "---:|---" if head[0] == "records" else "---|---:"
    return f"| {head[0]} | {head[1]} |\n|{right}|\n" + "\n".join(f"| {one} | {other} |" for one, other in rows)


def _place(names: Sequence[str], at: Position) -> str:
    return shown_cell(place_of_row(names[at.file], at.number))


def _sample(one: FieldChange, text: Callable[[Any], str]) -> str:
    """Return what a field held and what it will hold; of a map only the entries that change."""
    before, after = (None if json is None else orjson.loads(json) for json in (one.before, one.after))
    if not isinstance(after, dict) or not after:
        return f"{_value(one.before, text)} → {_value(one.after, text)}"
    held = before if isinstance(before, dict) else {}
    names = [name for name in after if name not in held or held[name] != after[name]]

    def of(name: str) -> str:
        old = "(not read)" if one.before is None else _plain(held.get(name), text)
        return f"{shown_cell(name, 40)}: {old} → {_plain(after[name], text)}"

    more = f", and {len(names) - _ENTRIES_SHOWN:,} more" if len(names) > _ENTRIES_SHOWN else ""
    return ", ".join(map(of, names[:_ENTRIES_SHOWN])) + more


def _value(json: str | None, text: Callable[[Any], str]) -> str:
    if json is None:
        return "(not read)"
    return _plain(orjson.loads(json), text)


def _plain(value: Any, text: Callable[[Any], str]) -> str:
    if value in (None, "", [], {}):
        return "(empty)"
    if isinstance(value, list) and all(isinstance(one, dict) and "original" in one for one in value):
        return shown_cell(", ".join(text(one["original"]) for one in value), 120)  # emails and phones
    return shown_cell(text(value), 60)


def _whole(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
