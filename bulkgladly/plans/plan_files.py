"""Writes the folder of a plan from the journal of what was planned."""

import datetime as dt
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulkgladly._version import __version__
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.baseline import INDEX as BASELINE_INDEX
from bulkgladly.imports.result_tables import write_tables
from bulkgladly.journal.databases import reading
from bulkgladly.journal.reject_groups import dropped_by_field
from bulkgladly.journal.results import publish_lines, rejects
from bulkgladly.journal.run_header import InputFile
from bulkgladly.lake.row_groups import write_rows
from bulkgladly.messages import GET_ORGANIZATION
from bulkgladly.plans.plan_folder import CHANGES, SUMMARY, PlanInfo, new_plan_folder, write_plan_json
from bulkgladly.plans.plan_log import planned_in, unchanged_in
from bulkgladly.plans.plan_options import PlanOptions
from bulkgladly.plans.plan_page import page_of
from bulkgladly.plans.plan_totals import PlanTotals
from bulkgladly.plans.planned_changes import COLUMNS
from bulkgladly.records import Mode
from bulkgladly.runs.options import stored
from bulkgladly.settings import Foreseen
from bulkgladly.storage.durable import hash_of
from bulkgladly.storage.failures import writing

__all__ = ("PlanOrigin", "write_plan")

REJECTED = "rejected.ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOrigin:
    """What a plan was made of: the organisation and the inputs, and for a live plan the run and its requests.

    `lists` are the operations with which an apply fetches names, `told` says what a data set was worth, and
    `unchanged` counts the records that are as memory says and are not in the journal. `zone` is the time zone in which
    a schedule of rates is read that names none.
    """

    host: str
    organisation: str
    files: Sequence[InputFile]
    lists: Sequence[str] = ()
    told: Sequence[str] = ()
    unchanged: int = 0
    zone: dt.tzinfo | None = None
    run: str | None = None
    read: Mapping[str, int] = field(default_factory=dict)


def write_plan(
    journal: Path, inputs: Inputs, spec: ImportSpec, options: PlanOptions, origin: PlanOrigin
) -> tuple[PlanInfo, PlanTotals]:
    """Write the plan of which the journal in a folder has the changes; return what it comes to.

    Raises:
        DiskFull, JournalDamaged, JournalError: It cannot be written; nothing of it is there.
    """
    pace = options.pace.foreseen(dt.datetime.now(dt.UTC), origin.zone)
    names = [str(file.path) for file in inputs.files]
    totals = PlanTotals()
    totals.add_unchanged(origin.unchanged + unchanged_in(journal))
    totals.add_lists(origin.lists)
    if options.pace.schedule is not None and options.pace.zone is None:
        totals.add_lists([GET_ORGANIZATION.operation])  # for the time zone of the schedule
    totals.is_one_sided = spec.procedures[options.mode or Mode.UPSERT].look is None and not spec.is_at_most_once
    with new_plan_folder(options.out) as folder, writing(options.out, "plan again"):
        changes = totals.counting(planned_in(journal))
        write_rows(folder / CHANGES, COLUMNS, (one.as_row(names[one.position.file]) for one in changes))
        info = _info_of(spec, options, origin, totals, pace)
        _keep_baseline(journal, folder)
        dropped = dropped_by_field(journal)
        if totals.rejects:
            _write_rejects(journal, folder, names)
        if totals.rejects or dropped:
            _write_tables(journal, folder, inputs)
        page = page_of(
            info,
            totals,
            spec,
            out=options.out,
            options=options.of_import(),
            told=origin.told,
            dropped=dropped,
            show_values=options.show_values,
        )
        (folder / SUMMARY).write_text(page, encoding="utf-8")
        info = replace(info, files={path.name: hash_of(path) for path in sorted(folder.iterdir())})
        write_plan_json(folder, info)
    return info, totals


def _info_of(
    spec: ImportSpec, options: PlanOptions, origin: PlanOrigin, totals: PlanTotals, pace: Foreseen
) -> PlanInfo:
    """Return what `plan.json` holds, without the hashes of the other files."""
    least, most = totals.requests(pace)
    return PlanInfo(
        host=origin.host,
        organisation=origin.organisation,
        resource=spec.name,
        mode=str(options.mode),
        is_live=options.is_live,
        made_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        version=__version__,
        options=stored(options.of_import()),
        inputs=tuple(origin.files),
        rows=totals.actions.total(),
        actions=totals.actions,
        words=totals.words,
        changed=totals.changed,
        rejects=totals.rejects,
        least=least,
        most=most,
        per_second=0.0 if math.isinf(pace.usual) else pace.usual,
        seconds=None if math.isinf(pace.usual) else _seconds_of(pace, least, most),
        schedule=options.pace.schedule,
        run=origin.run,
        read=origin.read,
    )


def _keep_baseline(journal: Path, folder: Path) -> None:
    """Copy what a data set has told: the apply compares with what the plan has seen, not with a newer data set."""
    if (journal / BASELINE_INDEX).is_file():
        shutil.copyfile(journal / BASELINE_INDEX, folder / BASELINE_INDEX)


def _seconds_of(pace: Foreseen, least: Mapping[str, int], most: Mapping[str, int]) -> tuple[float, float]:
    return pace.seconds_for(sum(least.values())), pace.seconds_for(sum(most.values()))


def _write_rejects(journal: Path, folder: Path, names: Sequence[str]) -> None:
    """Write the rejected rows as an import does, so that they can be corrected and imported."""
    with reading(journal / "journal.sqlite") as connection:
        publish_lines(folder / REJECTED, rejects(connection, names))


def _write_tables(journal: Path, folder: Path, inputs: Inputs) -> None:
    """Write the rejects and the values that are left out as tables, as an import does."""
    for table in write_tables(journal, inputs):
        shutil.move(table.path, folder / Path(table.path).name)
