"""`rules check`: what rules for events say, and what they would have done for recorded events."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import print_json, print_lines, tell
from bulkgladly.cli.streams import standard_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkgladly.workflows.event_rule import EventRule
    from bulkgladly.workflows.rule_trial import Trial

__all__ = ("check",)


def check(
    file: Annotated[Path, typer.Argument(help="The rules file, such as rules.toml.", metavar="FILE")],
    events: Annotated[
        Path | None,
        typer.Option(
            help="Recorded events as NDJSON: as Gladly sends them, or rows of the data set events; - for the "
            "standard input.",
            metavar="FILE",
            dir_okay=False,
            allow_dash=True,
        ),
    ] = None,
    customers: Annotated[
        Path | None,
        typer.Option(help="Customers as NDJSON, for rules that mention customer.", metavar="FILE", dir_okay=False),
    ] = None,
    json: flags.Json = False,
) -> None:
    """Check rules, and show what they would have done for recorded events. Nothing is sent.

    The exit code is 2 if the file has a mistake, and 1 if a row that a rule sends could not be imported.
    """
    import anyio

    from bulkgladly.errors import UsageError
    from bulkgladly.workflows.event_rule import rule_sentence
    from bulkgladly.workflows.rule_file import load_rules
    from bulkgladly.workflows.rule_trial import read_customers, read_events, try_rules

    rules = load_rules(file)
    if customers is not None and events is None:
        raise UsageError("--customers is for trying rules out; also pass recorded events with --events FILE")
    found: Trial | None = None
    if events is not None:
        known = read_customers(customers) if customers is not None else {}
        recorded = read_events(events, standard_input())

        async def trial() -> "Trial":
            return await try_rules(rules, recorded, customers=known)

        found = anyio.run(trial)
    if json:
        print_json(_as_json(rules, found))
    else:
        print_lines(*(rule_sentence(rule) for rule in rules))
        tell(*_only_by_webhook(rules), *_not_here(rules))
        if found is not None:
            _tell(found, rules, events)
    raise typer.Exit(1 if found is not None and any(each.problem for each in found.actions) else 0)


def _only_by_webhook(rules: "Sequence[EventRule]") -> list[str]:
    """Return a line for each rule that looks at events which are not in the feed."""
    from bulkgladly.choices import one_of
    from bulkgladly.gladly.event_envelopes import WEBHOOK_ONLY

    found = [(rule.name, sorted((rule.types or frozenset()) & WEBHOOK_ONLY.keys())) for rule in rules]
    return [
        f"{name}: {one_of(types)} comes by webhook only, so `follow` never sees it; use `listen`"
        for name, types in found
        if types
    ]


def _not_here(rules: "Sequence[EventRule]") -> list[str]:
    """Return a line for each sink that would not work on this machine; the rules may be for another one."""
    from bulkgladly.errors import UsageError
    from bulkgladly.sinks.sink_choice import sink_of

    found: dict[str, str] = {}
    for rule in rules:
        for to in filter(None, (action.to for action in rule.actions)):
            try:
                sink_of(to, tell)
            except UsageError as error:
                found[to] = f"{rule.name}: not on this machine: {str(error).removeprefix('--to ')}"
    return list(found.values())


def _as_json(rules: "Sequence[EventRule]", trial: "Trial | None") -> dict[str, Any]:
    from bulkgladly.workflows.event_rule import rule_sentence

    about: dict[str, Any] = {"rules": [{"name": rule.name, "says": rule_sentence(rule)} for rule in rules]}
    if trial is not None:
        about |= {**trial._asdict(), "actions": [each._asdict() for each in trial.actions]}
    return about


def _tell(trial: "Trial", rules: "Sequence[EventRule]", events: Path | None) -> None:
    """Print each action with its time, rule and key; then, on stderr, how often each rule fired."""
    from bulkgladly.runs.observer import counted

    if not trial.events:
        tell(f"{events} has no events")
        return
    print_lines("")
    for each in trial.actions:
        key = f"  {each.key}" if each.key else ""
        print_lines(f"{each.at}  {each.rule}{key}  {each.event_type}: {each.does}")
        if each.row is not None:
            import orjson

            print_lines(f"    {orjson.dumps(each.row).decode()}")
        if each.problem:
            print_lines(f"    could not be imported: {each.problem}")
    tell(f"{counted(trial.events, 'event')} from {trial.begins} to {trial.ends}")
    for rule in rules:
        over = trial.over.get(rule.name, 0)
        more = f"; {over:,} more were over its most_per_hour" if over else ""
        tell(f"  {rule.name}: fired {counted(trial.fired.get(rule.name, 0), 'time')}{more}")
        if why := trial.failures.get(rule.name):
            tell(f"    {why}")
    if trial.missing:
        tell(
            f"{counted(trial.missing, 'request')} would have been made for a customer or an object that is not known "
            "here; pass the customers with --customers FILE"
        )
