"""`explain`: the story of one record of a run, on one screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.configuration import credentials_or_none
from bulkgladly.cli.flag_groups import WhereFlags, with_flags
from bulkgladly.cli.flags import RECORDS, call_option
from bulkgladly.cli.output import print_json, print_lines, screen_width, tell
from bulkgladly.cli.preview_lines import MASKED
from bulkgladly.cli.run_arguments import refuse_unusable_runs
from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.explanations.explain_run import Explained, NowAsked

__all__ = ("explain",)

_LEAST_WIDTH = 60


@with_flags
def explain(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            help="The run, or an unambiguous part of its name (default: the newest import); and the record: its row "
            "(customers.csv:17, or 17), its source key, or its id in Gladly.",
            metavar="[RUN] RECORD",
            autocompletion=completions.explained_runs,
        ),
    ],
    where: WhereFlags,
    record: Annotated[
        int | None,
        call_option("--record", "Which record, if a row made several or a key came twice: the N-th.", RECORDS, "N"),
    ] = None,
    offline: Annotated[bool, call_option("--offline", "Do not ask Gladly what it holds now.", flags.SAFETY)] = False,
    show_values: flags.ShowValues = False,
    json: flags.Json = False,
) -> None:
    """Explain what happened to one record, and why.

    It shows the row, its key, what was sent, what Gladly replied and what was written; and what Gladly holds now, which
    takes one request. A run in progress is not disturbed.
    """
    import anyio

    from bulkgladly.explanations.explain_run import explain_record

    folder, text = _meant(where, words)

    async def work() -> "Explained":
        return await explain_record(
            folder,
            text,
            asked=_asked(context, where, offline=offline),
            show_values=show_values,
            nth=record,
            environment=context.obj.environment,
        )

    found = anyio.run(work)
    if json:
        print_json(_as_dict(found))
        return
    _print(found, [folder.name, text], where, show_values=show_values)


def _meant(where: WhereFlags, words: Sequence[str]) -> tuple[Any, str]:
    """Return the run and the text that names a record."""
    from bulkgladly.journal.runs import find_run, list_runs, newest_import

    if len(words) > 2:
        raise UsageError(f"explain takes a run and a record, not {len(words)} words; quote a key with spaces")
    if len(words) == 2:
        return find_run(where.state_dir, _run_named(where, *words)), words[1]
    # People ask about the rows that they have sent, also right after a verification or an undo of them.
    folder = newest_import(where.state_dir) or next(iter(list(list_runs(where.state_dir))[::-1]), None)
    if folder is None:
        refuse_unusable_runs(where.state_dir)
        raise UsageError(f"there are no runs in {where.state_dir}; choose another place with --state-dir")
    return folder, words[0]


def _run_named(where: WhereFlags, name: str, record: str) -> str:
    """Return the name of the run that is meant: for the folder of a plan, that of its apply, or of its making.

    Raises:
        UsageError: No run has that plan; or the two words stand the wrong way round.
    """
    from bulkgladly.journal.runs import all_folders
    from bulkgladly.plans.apply_checks import run_of_plan
    from bulkgladly.plans.plan_folder import CHANGES, PLAN

    folders = all_folders(where.state_dir)
    if any(name in run.name for run in folders):
        return name
    if (Path(name) / PLAN).is_file():
        if (run := run_of_plan(Path(name), where.state_dir)) is not None:
            return run.name
        raise UsageError(
            f"{name} was made without requests and is not applied yet, so no run tells of it; each change is in "
            f"{Path(name) / CHANGES}"
        )
    if any(record in run.name for run in folders):
        turned = next_command("explain", record, name, state_dir=where.state_dir)
        raise UsageError(f"there is no run {name!r}; the run comes first: `{turned}`")
    return name


def _asked(context: typer.Context, where: WhereFlags, *, offline: bool) -> "NowAsked":
    from bulkgladly.explanations.explain_run import NowAsked

    if offline:
        return NowAsked(None, "")
    try:
        credentials = credentials_or_none(context, where.profile)
    except UsageError as error:
        return NowAsked(None, f"not asked: {error}")
    why_not = "" if credentials else "not asked: no credentials; set GLADLY_HOST or pass --profile"
    return NowAsked(credentials, why_not, tell)


def _print(found: "Explained", words: Sequence[str], where: WhereFlags, *, show_values: bool) -> None:
    from bulkgladly.explanations.explain_lines import SCREEN_LINES, few_stories, story_lines

    width = max(_LEAST_WIDTH, screen_width())
    if len(found.stories) == 1:
        print_lines(*story_lines(found.stories[0], width=width))
    elif found.stories:
        print_lines(f"{len(found.stories):,} records:", *few_stories(found.stories, SCREEN_LINES - 2, width=width))
        example = next_command("explain", *words, "--record", "1", state_dir=where.state_dir)
        print_lines(f"  next: {example}")
    for unit in found.units:
        print_lines(*_unit_lines(unit))
    if found.note and not found.stories:
        print_lines(found.note)
    elif found.note:
        tell(found.note)
    if found.stories and not show_values:
        tell(MASKED)


def _unit_lines(unit: Any) -> list[str]:
    counts = [(unit.created, "created"), (unit.updated, "updated"), (unit.unchanged, "unchanged")]
    counts += [(unit.rejected, "rejected")]
    told = ", ".join(f"{number:,} {word}" for number, word in counts if number) or "no rows"
    detail = [f"  {unit.detail}"] if unit.detail else []
    return [f"{unit.data_set}/{unit.name}: {unit.state}", f"  {told}", *detail]


def _as_dict(found: "Explained") -> dict[str, Any]:
    from dataclasses import asdict

    stories = [asdict(one) for one in found.stories]
    for story in stories:
        for name in ("made", "dropped", "requests", "written", "now_differs"):
            story[name] = [one._asdict() for one in story[name]]
    return {
        "run": found.run,
        "records": stories,
        "units": [unit._asdict() for unit in found.units],
        "note": found.note or None,
    }
