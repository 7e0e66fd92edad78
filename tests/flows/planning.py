"""Plans and what is applied of them, in one organisation and one state directory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from bulkgladly import Report
from bulkgladly.lake.row_groups import NumberedRows
from bulkgladly.plans.apply_plan import apply_plan
from bulkgladly.plans.make_plan import plan_offline
from bulkgladly.plans.plan_folder import PlanInfo, opened_plan
from bulkgladly.plans.plan_options import PlanOptions
from bulkgladly.plans.plan_run import PlanReport, plan_live
from bulkgladly.plans.planned_changes import PlannedChange
from tests.flows.conftest import Fields, World, check_report


async def plan(
    world: World,
    rows: Iterable[Fields],
    name: str = "a.plan",
    *,
    live: bool = False,
    resource: str = "customers",
    **changes: Any,
) -> PlanInfo:
    """Write rows to a file, plan their import, and return what the folder says."""
    path = world.ndjson(rows, f"{resource}.ndjson")
    options = PlanOptions.of(world.choose(changes), out=world.folder / name, is_live=live, force=True)
    if live:
        report = await plan_live(resource, [path], world.credentials, options, environment=world.environment)
        assert report.status == "complete", report.reason
        assert report.adds_up
        check_reads_only(report)
    else:
        await plan_offline(resource, [path], options, host=world.credentials.host)
    return opened_plan(world.folder / name)


def check_reads_only(report: PlanReport) -> None:
    """A plan has changed nothing: each of its requests reads."""
    assert all(name.startswith(("get", "find", "list")) for name in report.requests)


async def apply(world: World, name: str = "a.plan", **more: Any) -> Report:
    """Apply a plan, and check the report."""
    report = await apply_plan(
        world.folder / name, world.credentials, state_dir=world.state, environment=world.environment, **more
    )
    check_report(report)
    return report


def changes_of(folder: Path) -> list[PlannedChange]:
    """The rows of `changes.parquet`."""
    rows = NumberedRows(folder / "changes.parquet")
    try:
        return [PlannedChange.from_row(row) for row in rows]
    finally:
        rows.close()


def edit(path: Path, **changes: Any) -> None:
    """Change what a JSON file says at its top."""
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **changes}))
